"""Where no cache can be written: another folder, or none."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from zipsgd import cache

TRIAL = """
from zipsgd.cache import cache_folder, unwritable_cache
from zipsgd.compiled import compiled, is_cached, keeps_code
import trial
print(trial.double(4), keeps_code(trial.double), is_cached(trial.double), bool(unwritable_cache()), cache_folder("data"))
"""


@pytest.fixture
def unwritable(monkeypatch, tmp_path):
    """Folders under ``locked`` that cannot be written, even by root."""
    locked = tmp_path / "locked"
    allowed = os.access

    def access(path, mode):
        return not (mode & os.W_OK and Path(path).is_relative_to(locked)) and allowed(path, mode)

    locked.mkdir()
    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(cache, "_unwritable", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(locked / "home" / ".cache"))
    monkeypatch.delenv("ZIPSGD_CACHE", raising=False)
    return locked


def test_a_cache_that_can_be_written_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_unwritable", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "there" / "yet"))
    cache.replace_unwritable_cache()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "not" / "there" / "yet")
    assert cache.unwritable_cache() is None
    assert list(tmp_path.iterdir()) == []


def test_a_private_folder_takes_its_place(unwritable, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache.replace_unwritable_cache()
    folder = Path(os.environ["XDG_CACHE_HOME"])
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache.unwritable_cache() == unwritable / "home" / ".cache"
    assert cache.cache_folder("data") == folder / "zipsgd" / "data"


@pytest.mark.parametrize("how", ["open to all", "a link"])
def test_a_folder_of_somebody_else_does_not_do(unwritable, monkeypatch, tmp_path, how):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    taken = tmp_path / f"zipsgd-cache-{os.getuid()}"
    if how == "a link":
        (tmp_path / "elsewhere").mkdir()
        taken.symlink_to(tmp_path / "elsewhere")
    else:
        taken.mkdir()
        taken.chmod(0o777)
    cache.replace_unwritable_cache()
    folder = Path(os.environ["XDG_CACHE_HOME"])
    assert folder != taken
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_folder_that_was_chosen_is_used_for_all(unwritable, monkeypatch, tmp_path):
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path / "chosen"))
    cache.replace_unwritable_cache()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "chosen")
    assert cache.cache_folder("boards") == tmp_path / "chosen" / "boards"


def test_without_any_folder_code_is_compiled_but_not_kept(tmp_path):
    """HOME, the package's folder and the temporary folder are no folders at all."""
    (tmp_path / "trial.py").write_text(
        "from zipsgd.compiled import compiled\n\n@compiled\ndef double(x):\n    return 2 * x\n"
    )
    (tmp_path / "__pycache__").write_text("")
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "below")
    code = f"import tempfile; tempfile._get_default_tempdir = lambda: {nowhere!r}\n{TRIAL}"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG", "ZIPSGD", "NUMBA"))
    }
    environment |= {
        "HOME": str(tmp_path / "file"),
        "PYTHONPATH": f"{tmp_path}:{environment.get('PYTHONPATH', '')}",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith("8 False False True "), done.stderr


def test_a_cache_on_a_full_disk_is_no_error(monkeypatch, tmp_path):
    """Numba's machine code is used although it cannot be saved."""
    (tmp_path / "full.py").write_text(
        "from zipsgd.compiled import compiled\n\n@compiled\ndef double(x):\n    return 2 * x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import full

    def no_room(*data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(full.double._cache._cache_file, "save", no_room)
    assert full.double(4) == 8
