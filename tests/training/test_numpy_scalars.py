"""Numbers of NumPy are taken for Python's, everywhere a user gives one."""

import json
from dataclasses import fields

import numpy as np
import pytest

from zipsgd import Build, Options, RunConfig, build_for, compile_loss, load_model, train
from zipsgd.backends import BackendOptions
from zipsgd.training.regulariser import Regulariser


def scalars(plain):
    """The same numbers as scalars of NumPy, of small types where they fit."""
    kinds = {bool: np.bool_, int: np.int64, float: np.float64, str: str}
    return {name: kinds.get(type(value), lambda kept: kept)(value) for name, value in plain.items()}


@pytest.mark.parametrize("kind", [Options, Build, BackendOptions, Regulariser])
def test_all_fields(kind):
    values = {field.name: getattr(kind(), field.name) for field in fields(kind)}
    made = kind(**scalars(values))
    assert made == kind()
    for name, value in values.items():
        assert type(getattr(made, name)) is type(value), name


def test_configuration_of_a_run():
    config = RunConfig(np.int32(5), p=np.uint8(2), m=np.array(2), batch=np.int16(4), one_sided=np.bool_(True))
    assert config == RunConfig(5, 2, 2, 4, True)
    assert json.dumps(config.registers()) == json.dumps(RunConfig(5, 2, 2, 4, True).registers())


def test_types_that_would_overflow(small_table, tmp_path):
    words = {
        "epochs": np.uint8(2),
        "batch_size": np.int32(8),
        "base_bits": np.uint8(2),
        "step_size": np.float32(0.25),
        "seed": np.uint64(3),
        "measure": np.bool_(True),
        "l2": np.float32(0.5),
        "validation": np.float32(0.25),
    }
    build = {"lanes": np.int64(8), "max_features": np.int32(64)}
    result = train(small_table, backend=BackendOptions("emulator", build, np.int8(0)), **words)
    expected = train(
        small_table,
        backend=BackendOptions("emulator", {"lanes": 8, "max_features": 64}),
        **{name: value.item() for name, value in words.items()},
    )
    result.save(tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").model_words == expected.model_words


def test_builds_and_losses():
    words = {"lanes": 16, "batch": 300, "heads": 3}
    assert build_for(np.uint16(100), **scalars(words)) == build_for(100, **words)
    fitted = [
        compile_loss("l", lambda t: t, of="residual", degree=d, radius=r)
        for d, r in ((3, 1), (np.int8(3), np.float32(1)))
    ]
    assert fitted[0] == fitted[1]
    assert json.dumps(Options(loss=fitted[1]).as_dict()) == json.dumps(Options(loss=fitted[0]).as_dict())


@pytest.mark.parametrize("value", [2.0, np.float32(2), "2", None])
def test_what_is_no_whole_number(value):
    with pytest.raises(TypeError, match=r"^epochs must be a whole number, not "):
        Options(epochs=value)
