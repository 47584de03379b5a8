"""The host's parsers raise what they say they raise, whatever the bytes; and no file runs code."""

import contextlib
import json
import pickle
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsers import MODEL, TARGETS

from zipsgd.data import DataError, load
from zipsgd.training.model_file import load_model
from zipsgd.training.result import Result

EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(("replace", "insert", "cut", "repeat")),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    for where, what, part in edits:
        place = round(where * len(data))
        before, after = data[:place], data[place:]
        if what == "replace":
            data = before + part + after[len(part) :]
        elif what == "insert":
            data = before + part + after
        elif what == "cut":
            data = before + after[part[0] :]
        else:
            data = before + after[: part[0]] * 2 + after[part[0] :]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_examples_and_nothing_at_all(name: str) -> None:
    target, example = TARGETS[name]
    target(example)
    target(b"")


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
@settings(max_examples=150)
def test_only_the_documented_errors(name: str, data: st.DataObject) -> None:
    target, example = TARGETS[name]
    target(data.draw(st.one_of(st.binary(max_size=200), EDITS.map(lambda edits: edited(example, edits)))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=4), values, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([field.name for field in fields(Result)]), JSON, min_size=1, max_size=4)
)
def test_models_with_fields_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fields.json"
    path.write_text(json.dumps({**MODEL, **changes}))
    with contextlib.suppress(DataError):
        assert np.isfinite(load_model(path).predict(np.zeros((1, 2)))).all()


@pytest.mark.parametrize("member", ["X", "y"])
def test_a_member_of_an_archive_that_is_no_array(member: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **{"Xy".replace(member, ""): np.zeros((2, 2))})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{member}.npy", b"no array")
    with pytest.raises(DataError, match="is not a NumPy archive"):
        load(path)


class Trap:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".json", ".csv", ".libsvm"])
def test_a_file_is_data_and_runs_no_code(suffix: str, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    path = tmp_path / f"trap{suffix}"
    objects = np.array([[Trap(sprung), 1], [2, 3]], dtype=object)
    if suffix == ".npy":
        np.save(path, objects, allow_pickle=True)
    elif suffix == ".npz":
        np.savez(path, X=objects, y=np.zeros(2))
    else:
        path.write_bytes(pickle.dumps(objects))
    with pytest.raises(DataError):
        (load_model if suffix == ".json" else load)(path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(objects))  # it would have been
    assert sprung.exists()
