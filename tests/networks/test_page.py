"""The Python of docs/vision.md runs as it is written."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch: `make test-torch` installs it and runs these tests")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vision.md"


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}  # the second block goes on with the network of the first one
    for block in blocks:
        exec(compile(block, "vision.md", "exec"), names)
    assert "bits a weight" in capsys.readouterr().out
    assert len(blocks) == 2
    assert names["X"].shape == (500, 128)
    with names["torch"].no_grad():
        found = names["model"].eval()(names["images"]).argmax(dim=1)
    assert (found == names["classes"]).float().mean() > 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["model.levels.pt"]
