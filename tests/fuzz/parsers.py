"""The host's parsers as targets of fuzzing, each with bytes that it takes; ``make fuzz`` runs them under atheris.

A target takes any bytes and raises what the parser raises beyond its documented errors.
"""

import io
import json
import struct
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather, parquet

from zipsgd.data import DataError, load
from zipsgd.driver.coding import decode, encode
from zipsgd.golden.levels import LevelTable
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import Frame, FrameError, Kind
from zipsgd.protocol.identification import identification, parse_identification
from zipsgd.training.model_file import load_model
from zipsgd.training.result import ClassifierResult, RegressionResult, Result
from zipsgd.training.sample_record import SampleRecord

__all__ = ["MODEL", "TARGETS"]

_NAMES = tuple(identification(Build()))
_MEMORY = 1 << 20
_SAMPLES = SampleRecord([0.0, 0.0], [1.0, 2.0], [0.0], [1.0], 1, 1, 0.5, 2, [[-2, 0, 1]] * 3)
MODEL = {
    **{field.name: None for field in fields(Result)},
    "format": RegressionResult.FORMAT,
    "coef": [0.5, -1e3],
    "intercept": 1,
    "columns": ["a", "b"],
    "categories": {},
    "clipped": [{"column": 1, "name": "b", "low": -1, "high": 3, "share": 0.5}],
    "options": {},
    "warnings": [],
    "samples": asdict(_SAMPLES),
}
"""A model's file, as far as it is read."""
_CLASSIFIER = {
    **MODEL,
    "format": ClassifierResult.FORMAT,
    "classes": [-1, 1],
    "coef": [[0.5, -1e3]],
    "intercept": [1],
}


def _frames(data: bytes) -> None:
    with suppress(FrameError):
        assert encode(decode(data))


def _identification(data: bytes) -> None:
    words = struct.unpack(f"<{len(_NAMES)}I", data[: 4 * len(_NAMES)].ljust(4 * len(_NAMES), b"\0"))
    with suppress(ValueError):
        build = parse_identification(dict(zip(_NAMES, words)))
        assert tuple(identification(build).values()) == words


def _levels(data: bytes) -> None:
    if len(data) < 2:
        return
    values = np.frombuffer(data[2 : 2 + (len(data) - 2) // 2 * 2], np.int16)
    columns = max(1, data[1])
    with suppress(ValueError):
        table = LevelTable(values[: values.size // columns * columns].reshape(-1, columns), data[0])
        assert 1 << table.p == columns - 1


def _file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            file.write(data)
            file.flush()
            with suppress(DataError):
                read(Path(file.name))

    return target


def _table(path: Path) -> None:
    table = load(path, memory=_MEMORY)
    assert table.features.shape[0] == len(table.labels)


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _saved_table(save: Callable[[pa.Table, io.BytesIO], None]) -> bytes:
    return _saved(
        lambda file: save(
            pa.table({"a": [1, 2, None], "town": ["x", "y", "z"], "y": [True, False, True]}), file
        )
    )


_ARRAY = np.arange(12.0).reshape(4, 3)
TARGETS: dict[str, tuple[Callable[[bytes], None], bytes]] = {
    "frames": (_frames, encode(Frame(Kind.DATA, 7, bytes(range(24))))[:-1]),
    "identification": (_identification, struct.pack(f"<{len(_NAMES)}I", *identification(Build()).values())),
    "levels": (_levels, bytes([8, 3]) + np.array([[-99, 0, 5], [7, 7, 120]], np.int16).tobytes()),
    "model": (_file(".json", load_model), json.dumps(MODEL).encode()),
    "classifier": (_file(".json", load_model), json.dumps(_CLASSIFIER).encode()),
    "csv": (_file(".csv", _table), b'a,b;c,label\n1,2.5,-3e4\n"4",5,nan\n\n7,8,9\n'),
    "npy": (_file(".npy", _table), _saved(lambda file: np.save(file, _ARRAY))),
    "npz": (_file(".npz", _table), _saved(lambda file: np.savez(file, X=_ARRAY, y=_ARRAY[:, 0]))),
    "parquet": (_file(".parquet", _table), _saved_table(parquet.write_table)),
    "arrow": (_file(".arrow", _table), _saved_table(feather.write_feather)),
    "any": (_file("", _table), b"1 1:0.5 3:2\n"),
    "libsvm": (_file(".libsvm", _table), b"1 1:0.5 3:2 # note\n-1 2:1e3\n"),
}
"""By name: the target, and an input that its parser takes or nearly takes."""


def _main(name: str, *arguments: str) -> None:
    import atheris

    target, example = TARGETS[name]
    atheris.instrument_all()
    with tempfile.TemporaryDirectory() as corpus:
        (Path(corpus) / "example").write_bytes(example)
        atheris.Setup([sys.argv[0], *arguments, corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    _main(*sys.argv[1:])
