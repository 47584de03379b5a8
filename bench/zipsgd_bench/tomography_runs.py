"""Reconstructions by SGD on quantised rays, beside SGD in float64, and what they move."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import zipsgd
from zipsgd.backends import BackendOptions
from zipsgd.data import Table
from zipsgd.tomography import (
    PHANTOMS,
    Geometry,
    Scan,
    photon_noise,
    relative_error,
    structural_similarity,
)
from zipsgd.training.epochs import EpochReport
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare

__all__ = ["NEAR", "Configuration", "Measured", "Study", "few_bits_of"]

_Float = npt.NDArray[np.float64]
_Row = dict[str, Any]

NEAR = 1.1
"""A reconstruction is near that of float64 SGD if its error is at most this many times as large."""
OPTIONS = Options(intercept=False, nonnegative=True, keep="last", seed=1)
LANES = 64
"""Lanes of the emulated build, those of an ULX3S: its transcoder's table has room for more columns than that of 8 lanes."""


@dataclass(frozen=True, order=True)
class Configuration:
    """How values are quantised.

    Parameters
    ----------
    levels, estimator : str
        Kind of levels, and estimator.
    bits : int
        Bits of a value.
    then : int
        Bits of a value in the second half of the epochs; 0 for as many as in the first.
    """

    levels: str
    estimator: str
    bits: int
    then: int = 0

    @property
    def name(self) -> str:
        """str: What results call it."""
        return f"{self.levels} {self.estimator} {self.bits}{f' then {self.then}' * (self.then > 0)}"


def few_bits_of(levels: str, estimator: str, *bits: int) -> Iterator[Configuration]:
    """Configurations that differ in their bits."""
    return (Configuration(levels, estimator, each) for each in bits)


@dataclass(frozen=True)
class Study:
    """An image to reconstruct, and the runs on it.

    Parameters
    ----------
    phantom : str
        One of :data:`zipsgd.tomography.PHANTOMS`.
    side, views, epochs : int
        Pixels of a side, positions of the scanner, and passes over the rays.
    runs : tuple of Configuration
        The runs.
    photons : float
        Photons along each ray; 0 for exact integrals.
    beam : str
        "parallel" or "fan".
    """

    phantom: str
    side: int
    views: int
    epochs: int
    runs: tuple[Configuration, ...] = ()
    photons: float = 0.0
    beam: str = "parallel"

    @property
    def name(self) -> str:
        """str: What results call the study."""
        noise = f", {self.photons:.0e} photons".replace("+0", "") if self.photons else ""
        return f"{self.phantom} {self.side}^2, {self.beam}{noise}"

    @property
    def exact(self) -> _Float:
        """_Float of shape (side, side): The image."""
        return PHANTOMS[self.phantom](self.side)

    @property
    def scan(self) -> Scan:
        """Scan: The rays."""
        make = Geometry.fan if self.beam == "fan" else Geometry.parallel
        return Scan(make(self.side, self.views))

    def table(self) -> Table:
        """The data set."""
        scan = self.scan
        integrals = scan.sinogram(self.exact)
        return scan.table(photon_noise(integrals, self.photons, seed=1) if self.photons else integrals)

    @property
    def options(self) -> Options:
        """Options: Those of all runs, without bits, estimator and levels."""
        return replace(OPTIONS, epochs=self.epochs)


@dataclass
class Measured:
    """What a study gave.

    Parameters
    ----------
    study : Study
        The study.
    rows : list of dict
        A row for float64 SGD, and one for each run.
    errors : dict of str to list of float
        Relative error after each epoch, by "LEVELS ESTIMATOR BITS", or "float".
    images : dict of str to _Float
        The reconstructions.
    """

    study: Study
    rows: list[_Row] = field(default_factory=list)
    errors: dict[str, list[float]] = field(default_factory=dict)
    images: dict[str, _Float] = field(default_factory=dict)

    def run_float(self) -> None:
        """SGD in float64, whose samples would be moved as float32."""
        study = self.study
        scan, exact, table = study.scan, study.exact, study.table()
        task = prepare(table, options=replace(study.options, bits=8, estimator="double"))
        errors: list[float] = []

        def watch(models: _Float) -> None:
            image = scan.image(task.scalings[0].coefficients(models[0])[0])
            errors.append(relative_error(image, exact))
            self.images["float"] = image

        float_sgd(task, watch)
        size = 4 * (table.features.shape[1] + 1)
        self._keep(
            "float",
            errors,
            size,
            {"levels": None, "estimator": "float", "bits": 32, "then": None, "flags": ""},
        )

    def run(self, how: Configuration) -> None:
        """A run on the emulator. :meth:`run_float` comes first."""
        study = self.study
        scan, exact, table = study.scan, study.exact, study.table()
        errors: list[float] = []

        def watch(report: EpochReport) -> None:
            if report.model is not None:
                errors.append(relative_error(scan.image(report.model.coef[0]), exact))

        half = study.epochs // 2
        bits = (how.bits,) * half + (how.then,) if how.then else how.bits
        options = replace(
            study.options,
            bits=bits,
            estimator=how.estimator,
            levels=how.levels,
            shared_levels=how.levels == "optimal",
        )
        backend = BackendOptions("emulator", {"lanes": LANES})
        result = zipsgd.train(table, options=options, backend=backend, callbacks=[watch])
        name = how.name
        self.images[name] = scan.image(result.coef)
        size = result.sample_bytes / (result.rows * study.epochs)
        told = {"levels": how.levels, "estimator": how.estimator, "bits": how.bits, "then": how.then or None}
        self._keep(name, errors, size, {**told, "flags": " ".join(result.flags)})

    def _keep(self, name: str, errors: list[float], size: float, told: _Row) -> None:
        study = self.study
        self.errors[name] = errors
        goal = NEAR * self.errors["float"][-1]
        near = next((number for number, error in enumerate(errors, 1) if error <= goal), None)
        final = errors[-1] / self.errors["float"][-1]
        exact: _Row = self.rows[0] if self.rows else {"bytes a ray": size, "epochs until near float": near}
        whole = exact["bytes a ray"] / size
        self.rows.append(
            {
                "study": study.name,
                **told,
                "error": errors[-1],
                "over float": final,
                "SSIM": structural_similarity(self.images[name], study.exact),
                "bytes a ray": size,
                "times fewer than float32, whole runs": whole,
                "epochs until near float": near,
                "times fewer than float32, until near": None
                if near is None
                else whole * exact["epochs until near float"] / near,
            }
        )
