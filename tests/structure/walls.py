"""Which package may import which: the walls between the layers of the project, and what breaks them.

The imports are read from the sources, without running them. import-linter is not used, since it cannot tell an import that
runs with its module from one inside a function, and that difference is what keeps ``import zipsgd`` free of compilers.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ROOTS", "WALLS", "Break", "Import", "Wall", "breaks", "imports_of"]

ROOTS = ("hw", "host", "sim", "bench")
"""The folders that hold one import package each."""


@dataclass(frozen=True, order=True)
class Import:
    """One import statement, for one imported module.

    Attributes
    ----------
    module : str
        Full name of the module that imports.
    target : str
        Full name of the imported module. An object imported from a module counts as that module.
    lazy : bool
        Whether the import does not run with its module: it is in a function, or for type checkers only.
    """

    module: str
    target: str
    lazy: bool = False


@dataclass(frozen=True)
class Wall:
    """A rule on what some packages may import. A package's name stands for all modules in it.

    Attributes
    ----------
    name : str
        The rule in a few words.
    of : tuple of str
        The packages whose imports are checked.
    only : tuple of str
        If given, these and the standard library are all that the packages may import.
    never : tuple of str
        What the packages may not import.
    besides : tuple of str
        Modules and packages in ``of`` that the rule does not apply to.
    lazily : mapping of str to str
        Modules that may import one of the forbidden packages, but only lazily.
    """

    name: str
    of: tuple[str, ...]
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    lazily: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def refuses(self, found: Import) -> bool:
        """Whether the import breaks the rule."""
        if not _within(found.module, self.of) or _within(found.module, self.besides):
            return False
        if found.lazy and _within(found.target, self.lazily.get(found.module, ())):
            return False
        if self.only and not _within(found.target, (*self.only, *sys.stdlib_module_names)):
            return True
        return _within(found.target, self.never)


@dataclass(frozen=True, order=True)
class Break:
    """An import that breaks a rule.

    Attributes
    ----------
    wall : str
        Name of the rule.
    module, target : str
        The module that imports, and what it imports.
    """

    wall: str
    module: str
    target: str


_ON_NOTHING = ("zipsgd.cache", "zipsgd.extras", "zipsgd.output")
_LIBRARIES = ("zipsgd", "zipsgd_hw", "zipsgd_sim")

WALLS = (
    Wall("the protocol needs the standard library alone", ("zipsgd.protocol",), only=("zipsgd.protocol",)),
    Wall(
        "the golden model needs NumPy and the protocol alone",
        ("zipsgd.golden",),
        only=("zipsgd.golden", "zipsgd.protocol", "numpy"),
    ),
    Wall(
        "the gateware needs Amaranth, the protocol and what rests on nothing alone",
        ("zipsgd_hw",),
        only=(
            *("zipsgd_hw", "zipsgd.protocol", *_ON_NOTHING),
            *("amaranth", "amaranth_boards", "filelock", "luna", "usb_protocol"),
        ),
    ),
    Wall(
        "only the command line imports the command line",
        _LIBRARIES,
        never=("zipsgd.cli",),
        besides=("zipsgd.cli", "zipsgd.__main__"),
    ),
    Wall(
        "the estimators are on top",
        _LIBRARIES,
        never=("zipsgd.estimators",),
        besides=("zipsgd.estimators", "zipsgd.cli"),
    ),
    Wall(
        "training needs no scikit-learn",
        _LIBRARIES,
        never=("sklearn",),
        besides=("zipsgd.estimators",),
        lazily={"zipsgd.data.sets": ("sklearn",)},
    ),
    Wall("only zipsgd.torch needs PyTorch", _LIBRARIES, never=("torch", "zipsgd.torch"), besides=("zipsgd.torch",)),
    Wall(
        "the host loads gateware, simulation and benches only when asked to",
        ("zipsgd",),
        never=("zipsgd_hw", "zipsgd_sim", "zipsgd_bench"),
        lazily={
            "zipsgd.backends.choose": ("zipsgd_hw", "zipsgd_sim"),
            "zipsgd.cli.bench": ("zipsgd_bench",),
            "zipsgd.cli.board_option": ("zipsgd_hw",),
            "zipsgd.cli.build": ("zipsgd_hw",),
            "zipsgd.cli.doctor": ("zipsgd_hw", "zipsgd_sim"),
            "zipsgd.cli.program": ("zipsgd_hw",),
            "zipsgd.cli.report": ("zipsgd_hw",),
            "zipsgd.cli.sim": ("zipsgd_hw", "zipsgd_sim"),
        },
    ),
    Wall("the simulation does not know the benches", ("zipsgd_sim",), never=("zipsgd_bench",)),
    Wall("the writer of files rests on nothing", ("zipsgd.output",), only=("zipsgd.output",)),
    Wall("the caches' folders rest on nothing", ("zipsgd.cache",), only=("zipsgd.cache", "platformdirs")),
    Wall("the list of extras rests on nothing", ("zipsgd.extras",), only=("zipsgd.extras",)),
)  # fmt: skip


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _modules(root: Path) -> dict[str, Path]:
    """All modules below the folders of ``root``, by full name."""
    found = {}
    for folder in ROOTS:
        for file in sorted((root / folder).rglob("*.py")):
            parts = file.relative_to(root / folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def _statements(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes below ``node``, each with whether it runs later than its module, or never."""
    for child in ast.iter_child_nodes(node):
        yield child, lazy
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _statements(child, lazy or for_types or function)


def _targets(node: ast.AST, package: list[str], modules: Mapping[str, Path]) -> Iterator[str]:
    """Full names of the modules that a node imports."""
    match node:
        case ast.Import(names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module, names, level):
            outer = package[: len(package) - level + 1] if level else []
            origin = ".".join([*outer, *([module] if module else [])])
            for alias in names:
                inner = f"{origin}.{alias.name}"
                yield inner if inner in modules else origin
        case ast.Call(
            ast.Name("import_module") | ast.Attribute(_, "import_module"), [ast.Constant(str(name)), *_]
        ):
            yield name


def imports_of(root: Path) -> list[Import]:
    """All imports of the four packages.

    Parameters
    ----------
    root : Path
        The folder with ``hw``, ``host``, ``sim`` and ``bench``.

    Returns
    -------
    list of Import
        In the order of the modules' names.
    """
    modules = _modules(root)
    found = set()
    for name, file in modules.items():
        package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
        for node, lazy in _statements(ast.parse(file.read_text())):
            found |= {Import(name, target, lazy) for target in _targets(node, package, modules)}
    return sorted(found)


def breaks(root: Path) -> set[Break]:
    """What breaks a rule of :data:`WALLS` in the packages below ``root``."""
    return {
        Break(wall.name, found.module, found.target)
        for found in imports_of(root)
        for wall in WALLS
        if wall.refuses(found)
    }
