"""The Python of docs/vision.md runs as it is written."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch: `make test-torch` installs it and runs these tests")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vision.md"


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(block, "vision.md", "exec"), {})
    assert "bits a weight" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["model.levels.pt"]
