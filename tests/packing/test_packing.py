"""Packing against the golden model, bit for bit, and data sets larger than memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from zipsgd.backends import EpochSamples
from zipsgd.data import Scaling
from zipsgd.golden.levels import LevelTable, transcode
from zipsgd.golden.quantise import FRACTION_BITS, Codes, fixed_point, quantise_fixed_point
from zipsgd.golden.run import RunConfig
from zipsgd.golden.weave import unweave, weave
from zipsgd.packing import ScaledRows, pack, shuffled, stream, unpack
from zipsgd.packing.kernels import SEGMENT
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout
from zipsgd_bench import packing

Floats = npt.NDArray[np.floating]
LANES = (4, 8, 16, 32, 64, 128, 256)


def random_values(rng: np.random.Generator, shape: tuple[int, int], p: int) -> Floats:
    """Among uniform values: levels, both ends, halves of the finest step and their neighbours, tiny numbers."""
    unit = float(1 << (p - 1 + FRACTION_BITS))
    uniform = rng.uniform(-1, 1, shape)
    halves = (np.floor(uniform * unit) + 0.5) / unit
    kinds = [
        uniform,
        np.round(uniform * 2.0 ** (p - 1)) / 2.0 ** (p - 1),
        np.sign(uniform),
        halves,
        np.nextafter(halves, -2),
        np.nextafter(halves, 2),
        uniform * 1e-310,
        uniform * 1e-41,
        np.zeros(shape),
    ]
    chosen = np.choose(rng.integers(0, len(kinds), shape), kinds)
    return np.clip(chosen, -1, 1).astype(rng.choice([np.float32, np.float64]))


def random_table(rng: np.random.Generator, features: int, p: int) -> LevelTable:
    bits = int(rng.integers(2, 9))
    limit = 1 << (bits - 1)
    values = rng.integers(-limit, limit, (features, (1 << p) + 1))
    return LevelTable(np.sort(values, axis=1).astype(np.int16), bits)


def values_between(rng: np.random.Generator, table: LevelTable, rows: int) -> Floats:
    """Values within their columns' levels, on them, and just beside them."""
    levels = table.values * 2.0 ** (1 - table.bits)
    features, count = levels.shape
    low, high = levels[:, 0], levels[:, -1]
    on = levels[np.arange(features), rng.integers(0, count, (rows, features))]
    kinds = [low + (high - low) * rng.random((rows, features)), on, np.nextafter(on, -2), np.nextafter(on, 2)]
    chosen = np.choose(rng.integers(0, len(kinds), on.shape), kinds)
    # Levels are exact in float32, and so rounding does not lead out of them
    return np.clip(chosen, low, high).astype(rng.choice([np.float32, np.float64]))


def random_labels(rng: np.random.Generator, count: int) -> npt.NDArray[np.int16]:
    return rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16)


def shifted(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The same where no such number may begin, as within an archive."""
    raw = np.frombuffer(b"\0" + array.tobytes(), dtype=np.uint8)[1:]
    return raw.view(array.dtype).reshape(array.shape)


def same_codes(one: Codes, other: Codes) -> bool:
    arrays = [(getattr(one, name), getattr(other, name)) for name in ("base", "up", "labels")]
    same = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)
    return same and (one.p, one.m) == (other.p, other.m)


def same_levels(one: Codes, other: Codes, table: LevelTable) -> bool:
    pairs = zip(transcode(one, table), transcode(other, table), strict=True)
    return all(np.array_equal(a.base, b.base) for a, b in pairs) and np.array_equal(one.labels, other.labels)


def check_configuration(seed: int, tables: bool) -> dict[str, object]:
    """Pack and unpack a random set, and compare with the golden model; returns what it was like."""
    rng = np.random.default_rng(seed)
    features = int(rng.integers(1, 2 * SEGMENT + 300) if seed % 4 == 0 else rng.integers(1, 300))
    rows, lanes = int(rng.integers(1, 7)), int(rng.choice(LANES))
    p = int(rng.integers(0, 6)) if tables else int(rng.integers(1, 9))
    m = int(rng.integers(1 if p == 0 else 0, 3)) if seed % 8 else int(rng.integers(3, 9))
    table = random_table(rng, features, p) if tables else None
    values = random_values(rng, (rows, features), p) if table is None else values_between(rng, table, rows)
    outputs = int(rng.choice([1, 1, 1, 3]))
    form = LabelForm(int(rng.integers(3))) if outputs == 1 else LabelForm.WORD
    labels = random_labels(rng, rows * outputs).reshape((rows,) if outputs == 1 else (rows, outputs))
    if form == LabelForm.BYTE:
        labels &= 0xFF
    elif form == LabelForm.SIGN:
        labels = np.where(labels < 0, -LABEL_ONE, LABEL_ONE).astype(np.int16)
    intercept = bool(rng.integers(2))
    if intercept:
        values[:, -1] = 1 if table is None else table.values[-1, -1] * 2.0 ** (1 - table.bits)
    layout = SampleLayout(features, p, m, lanes, outputs, intercept, form)
    draws = {
        "seed": int(rng.integers(1 << 63)) * 2 + 1,
        "epoch": int(rng.integers(1 << 32)),
        "rows": rng.integers(0, 1 << 32, rows),
    }
    fixed = fixed_point(values, p) if table is None else table.fixed_point(values)
    codes = quantise_fixed_point(fixed, labels, p, m, **draws)
    packed = pack(values, labels, layout, levels=table, threads=int(rng.integers(1, 4)), **draws)
    np.testing.assert_array_equal(packed, weave(codes, layout), err_msg=str(layout))
    back = unpack(packed, layout)
    assert same_codes(back, unweave(packed, layout)), layout
    if intercept and table is not None:  # the highest level may be there under two numbers
        assert same_levels(back, codes, table), layout
    else:
        assert same_codes(back, codes), layout
    segments = -(-layout.sent_features // SEGMENT) or 1
    what = {"p": p, "m": m, "lanes": lanes, "type": str(values.dtype), "segments": segments}
    return {**what, "labels": outputs, "form": form.name, "intercept": intercept}


@pytest.mark.parametrize("tables", [False, True], ids=["even levels", "tables of levels"])
def test_every_bit_is_that_of_the_golden_model(tables: bool) -> None:
    seen: set[tuple[str, object]] = set()
    for seed in range(400):
        seen |= set(check_configuration(seed, tables).items())
    every = {
        "p": range(6) if tables else range(1, 9),
        "m": range(9),
        "lanes": LANES,
        "type": ("float32", "float64"),
        "segments": (1, 2, 3),
        "labels": (1, 3),
        "form": [form.name for form in LabelForm],
        "intercept": (False, True),
    }
    assert seen == {(name, value) for name, values in every.items() for value in values}


@pytest.mark.parametrize("p", [1, 2, 8])
def test_rounding_at_every_half_step(p: int) -> None:
    """All float32 and float64 values at which the rounding changes, and their neighbours on both sides."""
    unit = float(1 << (p - 1 + FRACTION_BITS))
    steps = np.arange(-unit, unit) if p < 8 else np.random.default_rng(p).integers(-unit, unit, 1 << 18)
    halves = ((steps + 0.5) / unit).reshape(256, -1)
    rows = np.arange(256)
    labels = np.zeros(256, np.int16)
    for kind in (np.float32, np.float64):
        exact = halves.astype(kind)
        for values in (exact, np.nextafter(exact, kind(-2)), np.nextafter(exact, kind(2))):
            codes = quantise_fixed_point(fixed_point(values, p), labels, p, 2, seed=1, epoch=2, rows=rows)
            layout = SampleLayout(values.shape[1], p, 2, 64)
            packed = pack(values, labels, layout, seed=1, epoch=2, rows=rows)
            np.testing.assert_array_equal(packed, weave(codes, layout))


def test_threads_and_blocks_make_no_difference() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(-1, 1, (101, 77)).astype(np.float32)
    labels, rows = random_labels(rng, 101), rng.permutation(101)

    def packed(part: slice, threads: int) -> npt.NDArray[np.uint8]:
        layout = SampleLayout(77, 3, 2, 16)
        return pack(values[part], labels[part], layout, seed=4, epoch=5, rows=rows[part], threads=threads)

    whole = packed(slice(None), 1)
    for threads in (2, 3, 8, 200):
        np.testing.assert_array_equal(packed(slice(None), threads), whole)
    for size in (1, 10, 100):
        blocks = [packed(slice(start, start + size), 2) for start in range(0, 101, size)]
        np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_arrays_of_any_layout() -> None:
    rng = np.random.default_rng(6)
    plain = rng.uniform(-1, 1, (9, 30)).astype(np.float32)
    labels, rows = random_labels(rng, 9), np.arange(9)
    layout = SampleLayout(30, 2, 2, 8)
    expected = pack(plain, labels, layout, seed=1, epoch=0, rows=rows)
    wide = np.zeros((18, 60), dtype=np.float32)
    wide[::2, ::2] = plain
    for values in (
        np.asfortranarray(plain),
        wide[::2, ::2],
        plain.astype(">f4"),
        plain.astype(np.longdouble),
    ):
        np.testing.assert_array_equal(
            pack(values, labels, layout, seed=1, epoch=0, rows=rows.tolist()), expected
        )
    out = np.zeros_like(expected)
    assert pack(plain, labels, layout, seed=1, epoch=0, rows=rows, out=out) is out
    np.testing.assert_array_equal(out, expected)
    padded = np.zeros((9, 2 * expected.shape[1]), dtype=np.uint8)
    padded[:, ::2] = expected
    assert same_codes(unpack(padded[:, ::2], layout), unpack(expected, layout))


def test_no_samples() -> None:
    for layout in (SampleLayout(5, 2, 2, 8), SampleLayout(5, 2, 2, 8, 3, True)):
        labels = np.zeros((0, layout.labels), np.int16)
        packed = pack(np.zeros((0, 5)), labels, layout, seed=0, epoch=0, rows=[], threads=2)
        assert packed.shape == (0, layout.size)
        assert unpack(packed, layout).base.shape == (0, 5)
    layout = SampleLayout(5, 2, 2, 8)
    assert list(stream(np.zeros((3, 5)), np.zeros(3, np.int16), np.arange(0), layout, seed=0, epoch=0)) == []


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300, -1.0000002, np.nextafter(1, 2)])
@pytest.mark.parametrize("threads", [1, 2])
def test_values_outside_are_named(wrong: float, threads: int) -> None:
    labels, rows = np.zeros(4, np.int16), np.array([9, 8, 7, 6])
    values = np.zeros((4, 1500))
    values[2, 1400] = wrong
    with pytest.raises(ValueError, match=r"scaled to \[-1, 1\].*feature 1400 of row 7 is "):
        pack(values, labels, SampleLayout(1500, 2, 2, 8), seed=1, epoch=0, rows=rows, threads=threads)
    table = LevelTable(np.tile(np.array([-3, 0, 3], np.int16), (1500, 1)), 3)
    values[2, 1400] = wrong if not abs(wrong) < 2 else wrong * 0.75
    layout = SampleLayout(1500, 1, 2, 8)
    with pytest.raises(ValueError, match=r"within their column's levels.*feature 1400 of row 7 is "):
        pack(values, labels, layout, seed=1, epoch=0, rows=rows, levels=table, threads=threads)


def test_an_intercept_that_is_none_is_named() -> None:
    values = np.ones((3, 4))
    values[1, 3] = 0.5
    layout, draws = SampleLayout(4, 1, 2, 8, intercept=True), {"seed": 1, "epoch": 0, "rows": [7, 8, 9]}
    labels = np.zeros(3, np.int16)
    with pytest.raises(ValueError, match=r"the device makes as 1\.0: that of row 8 must not be 0\.5"):
        pack(values, labels, layout, **draws)
    table = LevelTable(np.tile(np.array([-3, 0, 3], np.int16), (4, 1)), 3)
    with pytest.raises(ValueError, match=r"the device makes as 0\.75: that of row 7 must not be 0\.625"):
        pack(values * 0.625, labels, layout, levels=table, **draws)
    rows = np.arange(3)
    samples = EpochSamples(values.astype(np.float32), labels, rows, 1, 0)
    config = RunConfig(4, 1, 2, intercept=True)
    for use in (lambda: list(samples.blocks(config)), lambda: samples.check(config)):
        with pytest.raises(ValueError, match=r"row 1 must not be 0\.5"):
            use()
    samples = EpochSamples(np.ones((3, 4), np.float32), labels, rows, 1, 0)
    with pytest.raises(ValueError, match="labels of the form SIGN must be 32767 or -32767"):
        samples.check(replace(config, label_form=LabelForm.SIGN))


def test_bad_arguments_are_named() -> None:
    values, labels, rows = np.zeros((2, 3)), np.zeros(2, np.int16), [0, 1]

    usual = {
        "values": values,
        "labels": labels,
        "layout": SampleLayout(3, 1, 2, 8),
        "seed": 0,
        "epoch": 0,
        "rows": rows,
    }

    def packed(**other: object) -> None:
        pack(**(usual | other))

    with pytest.raises(ValueError, match=r"p must be in 1\.\.8, not 0"):
        packed(layout=SampleLayout(3, 0, 2, 8))
    with pytest.raises(
        ValueError, match="layout is for 4 features and 1 labels a sample, but there are 3 and 1"
    ):
        packed(layout=SampleLayout(4, 1, 2, 8))
    with pytest.raises(
        ValueError, match="layout is for 3 features and 2 labels a sample, but there are 3 and 1"
    ):
        packed(layout=SampleLayout(3, 1, 2, 8, 2))
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        packed(threads=0)
    with pytest.raises(ValueError, match=r"not \(2, 3\), \(1,\) and \(2,\)"):
        packed(rows=[0])
    for out in (np.zeros((2, 4), np.uint8), np.zeros((2, 5), np.int8), np.zeros((2, 10), np.uint8)[:, ::2]):
        with pytest.raises(ValueError, match=r"uint8 with the shape \(2, 5\)"):
            packed(out=out)
    table = LevelTable(np.array([[-1, 0, 1]] * 4, np.int16), 2)
    with pytest.raises(
        ValueError, match="levels are for 4 features and p = 1, but the values have 3 features"
    ):
        packed(levels=table)
    with pytest.raises(ValueError, match="p = 1, but the values have 4 features and p = 2"):
        packed(layout=SampleLayout(4, 2, 2, 8), values=np.zeros((2, 4)), levels=table)
    with pytest.raises(
        ValueError, match=r"uint8 with the shape \(samples, 5\) for 3 features, 1 \+ 2 planes and 8 lanes"
    ):
        unpack(np.zeros((2, 6), np.uint8), SampleLayout(3, 1, 2, 8))


# Rows on disk


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8])
def test_scaled_rows_are_those_of_numpy(kind: type[np.generic], tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    features = rng.uniform(0, 200, (50, 21)).astype(kind)
    # Not fitted to the data: values beyond are clipped
    centre, spread = rng.uniform(80, 120, 20), rng.uniform(60, 90, 20)
    np.save(tmp_path / "features.npy", features)
    on_disk = np.load(tmp_path / "features.npy", mmap_mode="r")
    expected = np.ones((50, 21), dtype=np.float32)
    expected[:, :-1] = np.clip((features[:, :-1] - centre) / spread, -1, 1)
    assert {-1, 1} <= set(expected[:, :-1].ravel())
    order = rng.permutation(50)
    for scale in (1.0, 127 / 128):
        scaled = expected * np.float32(scale)
        for array in (
            on_disk[:, :-1],
            features[:, :-1],
            np.asfortranarray(features[:, :-1]),
            shifted(features[:, :-1]),
        ):
            rows = ScaledRows(array, centre, spread, scale)
            assert rows.shape == (50, 21)
            np.testing.assert_array_equal(rows[order], scaled[order], strict=True)
            np.testing.assert_array_equal(rows[3:9], scaled[3:9], strict=True)
    np.testing.assert_array_equal(
        Scaling(centre, spread, 0.0, 1.0).features(features[:, :-1]), expected, strict=True
    )
    with pytest.raises(ValueError, match=r"not \(50, 21\), \(20,\) and \(20,\)"):
        ScaledRows(on_disk, centre, spread)


def test_an_epoch_may_take_its_rows_from_disk() -> None:
    rng = np.random.default_rng(9)
    features = rng.normal(size=(40, 5))
    scaling = Scaling(np.zeros(5), np.full(5, 6.0), 0.0, 1.0)
    labels, order = random_labels(rng, 40), rng.permutation(40)
    rows = ScaledRows(features, scaling.centre, scaling.spread)
    config = RunConfig(6, 3, 2)
    for one, other in zip(
        EpochSamples(scaling.features(features), labels, order, 1, 2).blocks(config, 16),
        EpochSamples(rows, labels, order, 1, 2).blocks(config, 16),
    ):
        assert same_codes(one, other)


@pytest.mark.parametrize("memory", [1, 5000, 40_000, 1 << 28])
def test_streams_are_packed_in_the_order_of_training(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd.packing.streaming._BLOCK_BYTES", 10_000)
    rng = np.random.default_rng(10)
    rows = 700 if memory > 1 else 30
    values = rng.uniform(-1, 1, (rows, 101)).astype(np.float32)
    labels, order = random_labels(rng, rows), rng.permutation(rows)
    table = LevelTable(np.tile(np.array([-128, -3, 5, 100, 127], np.int16), (101, 1)), 8)
    for levels, scaled in ((None, values), (table, values * np.float32(127 / 128))):
        layout = SampleLayout(101, 2, 2, 64)
        expected = pack(scaled[order], labels[order], layout, seed=6, epoch=7, rows=order, levels=levels)
        for threads, size in ((1, 512), (3, 33)):
            how = {"levels": levels, "threads": threads, "memory": memory, "size": size}
            parts = list(stream(scaled, labels, order, layout, seed=6, epoch=7, **how))
            assert {len(part) for part in parts[:-1]} <= {size}
            np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_streams_that_end_early() -> None:
    values = np.zeros((3000, 200), dtype=np.float32)
    values[2900, 7] = 2
    labels, order = np.zeros(3000, np.int16), np.arange(3000)
    layout = SampleLayout(200, 2, 2, 8)
    parts = stream(values, labels, order, layout, seed=0, epoch=0, threads=2, memory=100_000)
    assert next(parts).shape == (512, 102)  # of two windows, and as many more
    with pytest.raises(ValueError, match=r"feature 7 of row 2900 is 2\.0"):
        list(parts)
    given_up = stream(values, labels, order, layout, seed=0, epoch=0, threads=2, memory=100_000)
    next(given_up)
    given_up.close()


@pytest.mark.parametrize("memory", [1, 5000, 1 << 28])
def test_rows_in_the_order_of_training(memory: int) -> None:
    rng = np.random.default_rng(12)
    features, order = rng.normal(size=(700, 20)), rng.permutation(700)
    rows = ScaledRows(features, np.zeros(20), np.full(20, 4.0), 0.5)
    expected = rows[order]
    for values in (rows, rows[:]):
        parts = list(shuffled(values, order, threads=2, memory=memory, size=33))
        assert [len(part) for part in parts] == [33] * 21 + [7]
        np.testing.assert_array_equal(np.concatenate(parts), expected, strict=True)


def test_bench_reports_every_case() -> None:
    result = packing.run(rows=60, repeats=1)
    assert len(result["rows"]) == len(packing.MAIN)
    assert len(result["other cases"]) == len(packing.OTHERS)
    for table in ("rows", "other cases", "from disk", "training"):
        assert all(row["GB/s"] > 0 for row in result[table])
