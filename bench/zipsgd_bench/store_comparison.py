"""Random runs from a device's store, compared bit by bit with the golden model.

The samples of a run may be streamed as well. Then the store must not disturb.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from zipsgd.backends import Backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.protocol.formats import Build

from .comparison import Compared, compare_run, described
from .progress import Steps
from .simulated import simulated_backends

if TYPE_CHECKING:
    from zipsgd_sim.random_runs import RandomRun

__all__ = ["STORE_SEED", "compare_array", "compare_stored"]

STORE_SEED = 4

_ESTIMATORS = ("truncated", "naive", "double", "one draw")
"""By the number of up planes, and with a diagonal."""

_Row = dict[str, Any]


def _estimator(row: Mapping[str, Any]) -> str:
    """The name of a configuration's estimator."""
    return "one draw" if row["diagonal"] else _ESTIMATORS[row["m"]]


def _kept(run: "RandomRun", build: Build) -> bool:
    """Whether a device of this build keeps the samples of a run: if its store has room for them."""
    from zipsgd_sim.store_runs import store_layout

    return run.epochs[0].stored is not None and store_layout(run, build).bursts <= build.store_bursts


def _needed(run: "RandomRun", build: Build) -> tuple[int, ...]:
    """Bytes of samples that a device may need: in each epoch, or once if it keeps them, or none if they are there already."""
    from zipsgd_sim.store_runs import store_layout

    layout = store_layout(run, build)
    if _kept(run, build):
        return 0, layout.bursts * layout.burst_bytes
    return (len(run.epochs) * layout.rows * layout.sample_bytes,)


def _wrong_check(run: "RandomRun", device: DeviceBackend) -> bool:
    """Whether the device reads from its store what the golden model would have there."""
    from zipsgd_sim.store_runs import store_layout, stored_check

    found = device.device.store_check(store_layout(run, device.build))
    return found != stored_check(run, device.build)


def compare_stored(
    build: Build,
    backends: Mapping[str, Backend],
    device: DeviceBackend,
    kinds: Sequence[Mapping[str, str]],
    seed: int,
) -> tuple[_Row, list[_Row], list[_Row]]:
    """Train random runs on a device with a store, or without one, and on other backends, and compare the results.

    Besides losses, flags and words, the check of the store's content must be that of the golden model. Unless the device is
    reset, it may get samples that it keeps only once, and no epoch may have to be repeated.

    Parameters
    ----------
    build : Build
        The build of all backends.
    backends : Mapping[str, Backend]
        Backends by name; "golden" is the reference.
    device : DeviceBackend
        The device behind one of them.
    kinds : Sequence[Mapping[str, str]]
        Options of each run, see :func:`zipsgd_sim.store_runs.random_store_run`.
    seed : int
        Seed of the random runs.

    Returns
    -------
    counts : dict[str, Any]
        Counts of configurations and comparisons.
    configurations : list[dict[str, Any]]
        The configurations.
    differences : list[dict[str, Any]]
        Differences from the golden model.
    """
    from zipsgd_sim.resets import ResetInEpochs
    from zipsgd_sim.store_runs import random_store_run

    rng = random.Random(seed)
    resets = any(isinstance(backend, ResetInEpochs) for backend in backends.values())
    compared: list[Compared] = []
    configurations: list[_Row] = []
    differences: list[_Row] = []
    for number, kind in enumerate(kinds):
        run = random_store_run(build, rng, kind=kind)
        row = described(run)
        kept = _kept(run, build)
        row |= {"kept": kept, "turns": list(run.turns), "estimator": _estimator(row)}
        row |= {name: kind[name] for name in ("order", "stalls", "resets") if name in kind}
        configurations.append(row)
        before = (device.device.link.counts.samples, device.restarts)
        compared.append(compare_run(run, backends))
        sent = device.device.link.counts.samples - before[0]
        wrong_store = {
            "check": int(kept and _wrong_check(run, device)),
            "bytes": int(sent not in _needed(run, build) and not resets),
            "repeated": 0 if resets else device.restarts - before[1],
        }
        wrong = list(compared[-1].wrong)
        if any(wrong_store.values()):
            wrong.append({"differs": "store", **wrong_store})
        differences += [{"run": number, **row, **each} for each in wrong]
    kept_runs = [row for row in configurations if row["kept"]]
    counts = {
        "configurations": len(configurations),
        "from the store": len(kept_runs),
        "unattended": sum(bool(row["turns"]) for row in kept_runs),
        **{name: sum(row["estimator"] == name for row in configurations) for name in _ESTIMATORS},
        "heads": sum(row["heads"] > 1 for row in configurations),
        "on levels": sum(row["levels"] is not None for row in configurations),
        "saturated": sum(each.saturated for each in compared),
        "losses compared": sum(each.losses for each in compared),
        "words compared": sum(each.words for each in compared),
        "checks compared": len(kept_runs),
        "differing": len(differences),
    }
    return counts, configurations, differences


def compare_array(
    array: Sequence[Mapping[str, str]], steps: Steps
) -> tuple[list[_Row], list[_Row], list[_Row]]:
    """Train on the virtual board, emulator and golden model in all configurations of an array.

    Parameters
    ----------
    array : Sequence[Mapping[str, str]]
        Configurations, see :func:`zipsgd_sim.store_options.store_array`; those of a build are next to each other.
    steps : Steps
        Progress. There is a step for each build.

    Returns
    -------
    rows : list[dict[str, Any]]
        Counts for each build.
    configurations : list[dict[str, Any]]
        The configurations.
    differences : list[dict[str, Any]]
        Differences from the golden model.
    """
    from zipsgd_sim.options import fast_memory_of
    from zipsgd_sim.store_options import STORE_BUILD_FACTORS, sdram_of, store_build_of

    rows: list[_Row] = []
    drawn: list[_Row] = []
    differences: list[_Row] = []
    builds = groupby(array, lambda kind: {name: kind[name] for name in STORE_BUILD_FACTORS})
    for number, (factors, some) in enumerate(builds):
        kinds = list(some)
        build = store_build_of(kinds[0])
        name = ", ".join(f"{factor} {value}" for factor, value in factors.items())
        steps.next(f"{name}: {len(kinds)} configurations")
        options = {"fast_memory": fast_memory_of(kinds[0]), "sdram": sdram_of(kinds[0]), "optimise": 1}
        counted: Counter[str] = Counter()
        seed = STORE_SEED + number
        for backends, device, alike in simulated_backends(build, kinds, seed, note=steps.note, **options):
            row, configurations, wrong = compare_stored(build, backends, device, alike, seed)
            counted.update(row)
            drawn += [{**factors, **configuration} for configuration in configurations]
            differences += [{**factors, **difference} for difference in wrong]
        rows.append({**factors, **counted})
    return rows, drawn, differences
