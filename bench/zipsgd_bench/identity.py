"""Compare golden model, emulator and gateware bit by bit, over a covering array of all options.

A second, smaller array has the options that matter to samples which stay in a store.

The gateware is simulated on the virtual board and driven by the real driver. If a configuration says so, there are random gaps
and random back-pressure on the byte streams in both directions, and resets in the middle of epochs. The tests in
``tests/datapath`` and ``tests/components`` stall the internal streams in the same way.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .comparison import build_name, compare
from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated_backends
from .store_comparison import STORE_SEED, compare_array

__all__ = ["BENCH", "run"]

SEED = 2
UART_BUILD = Build(lanes=16, update_lanes=8, max_features=304)
UART = Uart(baud=8_000_000)

_Row = dict[str, Any]


def _widths(build: Build) -> str:
    return f"{build.model_bits}/{build.q3_bits}/{build.delta_bits}/{build.gradient_bits}"


def _streamed(
    array: Sequence[Mapping[str, str]], uart_runs: int
) -> list[tuple[Build, list[Mapping[str, str]], dict[str, Any]]]:
    """Build, configurations, and options of the virtual board."""
    from zipsgd_sim.options import build_of, fast_memory_of

    tasks: list[tuple[Build, list[Mapping[str, str]], dict[str, Any]]] = []
    for (build, fast), some in groupby(array, lambda kind: (build_of(kind), fast_memory_of(kind))):
        tasks.append((build, list(some), {"fast_memory": fast, "optimise": 1}))
    if uart_runs:
        tasks.append((UART_BUILD, [{}] * uart_runs, {"uart": UART}))
    return tasks


def _ranges(drawn: Sequence[_Row]) -> str:
    """The ranges of some parameters of configurations."""
    return ", ".join(
        f"{key} {min(row[key] for row in drawn)}..{max(row[key] for row in drawn)}"
        for key in ("features", "p", "m", "batch")
        if drawn
    )


def run(
    array: Sequence[Mapping[str, str]] | None = None,
    uart_runs: int = 3,
    from_the_store: Sequence[Mapping[str, str]] | None = None,
) -> Result:
    """Compare the configurations of a covering array over byte streams, random ones over the UART's pins, and those of a second
    array from the store.

    Parameters
    ----------
    array : Sequence[Mapping[str, str]], optional
        Configurations; by default the whole covering array.
    uart_runs : int
        Number of random runs over the UART's pins.
    from_the_store : Sequence[Mapping[str, str]], optional
        Configurations of the second array; by default all of it.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("sim", "this bench"):
        from zipsgd_sim.options import option_array
        from zipsgd_sim.store_options import store_array, store_build_of
    whole, counts = option_array()
    stored_whole, stored_counts = store_array()
    everything = array is None and uart_runs > 0 and from_the_store is None
    tasks = _streamed(whole if array is None else array, uart_runs)
    stored = stored_whole if from_the_store is None else from_the_store
    rows: list[_Row] = []
    differences: list[_Row] = []
    drawn: list[_Row] = []
    with Steps(len(tasks) + len({(store_build_of(kind), kind["memory"]) for kind in stored})) as steps:
        for number, (build, kinds, options) in enumerate(tasks):
            name = build_name(build)
            port = "UART pins" if options.get("uart") else "byte streams"
            steps.next(f"{name}, {port}: {len(kinds)} configurations")
            counted: Counter[str] = Counter()
            seed = SEED + number
            for backends, _, some in simulated_backends(build, kinds, seed, note=steps.note, **options):
                row, configurations, wrong = compare(build, backends, some, seed)
                counted.update(row)
                drawn += [{"build": name, **configuration} for configuration in configurations]
                differences += wrong
            memory = "fast" if options.get("fast_memory") else "slow"
            rows.append({"build": name, "widths": _widths(build), "memory": memory, "port": port, **counted})
        stored_rows, stored_drawn, stored_differences = compare_array(stored, steps)
    return {
        "goal": f"emulator and gateware have the bits of the golden model (losses, model words, flags, and samples left out) "
        f"for a covering array of all options of builds and runs, after each of two epochs, and over the UART's pins; the "
        f"array contains all {counts[2]} pairs of option values, and all {counts[3]} triples of the options that determine "
        f"when an update overlaps with the following samples; measured: {len(drawn)} configurations, {_ranges(drawn)}. The "
        f"same, with the check of the store, for an array of the options that matter to samples in a store, with all "
        f"{stored_counts[2]} pairs and {stored_counts[3]} triples of those around the store; measured: {len(stored_drawn)} "
        f"configurations, {_ranges(stored_drawn)}",
        "met": everything and not differences and not stored_differences,
        "seeds": [SEED, STORE_SEED],
        "pairs": counts[2],
        "triples": counts[3],
        "words compared": sum(row["words compared"] for row in rows),
        "rows": rows,
        "differences": differences,
        "configurations": drawn,
        "pairs from the store": stored_counts[2],
        "triples from the store": stored_counts[3],
        "words compared from the store": sum(row["words compared"] for row in stored_rows),
        "from the store": stored_rows,
        "differences from the store": stored_differences,
        "configurations from the store": stored_drawn,
    }


BENCH = Bench("identity", "golden model, emulator and gateware compared bit by bit over covering arrays", run)
