"""Boards of users' own: the files that define them, and the errors of wrong ones."""

import json
import sys
from pathlib import Path

import pytest

from zipsgd_hw.boards import BOARDS, Board, build_board, find_board, stock_report

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "my_board.py"
COPY = "from dataclasses import replace\nfrom zipsgd_hw.boards import BOARDS\n"
"""The beginning of a file whose boards are like those of the catalogue."""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


def changed(file: Path, before: str, after: str) -> str:
    """Write the example with a change, and return the name by which it is found."""
    text = EXAMPLE.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    return str(file)


def test_names_are_those_of_the_catalogue() -> None:
    assert find_board("icebreaker") is BOARDS["icebreaker"]
    with pytest.raises(ValueError, match=r"^no board 'mine'; boards: icebreaker, .*; or name a file"):
        find_board("mine")


def test_the_example_prepares_a_build(tmp_path: Path) -> None:
    report = build_board(str(EXAMPLE), out_dir=tmp_path, prepare_only=True)
    assert (tmp_path / "my-board.v").exists()
    assert report["board"] == json.loads((tmp_path / "build.json").read_text())["board"] == "my-board"
    estimate = report["block_rams_estimate"]
    assert estimate["used"] <= estimate["available"]
    pins = (tmp_path / "top.pcf").read_text().splitlines()
    assert {"set_io clk12_0__io 35", "set_io uart_0__rx__io 6", "set_io uart_0__tx__io 9"} <= set(pins)


def test_the_pins_are_those_of_the_file(tmp_path: Path, mine: Path) -> None:
    name = changed(mine, 'Pins("6", dir="i")', 'Pins("43", dir="i")')
    build_board(name, out_dir=tmp_path, prepare_only=True)
    assert "set_io uart_0__rx__io 43" in (tmp_path / "top.pcf").read_text().splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "BOARD = replace(BOARDS['icebreaker'], name='mine')",
        "like = BOARDS['icebreaker']\nBOARD = replace(like, name='mine')\nother = replace(like, name='other')",
        "mine = same = replace(BOARDS['icebreaker'], name='mine')",
        "from dataclasses import dataclass\n@dataclass\nclass Own:\n    pins: 'int'\n"
        "board = replace(BOARDS['icebreaker'], name='mine')",
    ],
    ids=["BOARD", "BOARD of several", "a single one", "with a dataclass"],
)
def test_a_file_defines_a_board(text: str, mine: Path) -> None:
    mine.write_text(COPY + text)
    board = find_board(str(mine))
    assert isinstance(board, Board)
    assert board.name == stock_report(board)["board"] == "mine"


def test_any_path_may_be_that_of_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(COPY + "BOARD = replace(BOARDS['icebreaker'], name='mine')")
    (tmp_path / "mine").write_text(COPY + "BOARD = replace(BOARDS['icebreaker'], name='other')")
    monkeypatch.chdir(tmp_path)
    assert find_board("mine.py").name == find_board("./mine.py").name == "mine"
    assert find_board("./mine").name == "other"


def test_each_reading_is_a_new_one(mine: Path) -> None:
    mine.write_text(COPY + "BOARD = replace(BOARDS['icebreaker'], name='one')")
    assert find_board(str(mine)).name == "one"
    mine.write_text(COPY + "BOARD = replace(BOARDS['icebreaker'], name='two')")
    assert find_board(str(mine)).name == "two"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^there is no file nowhere\.py: name a file that defines a board$"):
        find_board("nowhere.py")
    with pytest.raises(ValueError, match=r"^there is no file no/board: "):
        find_board("no/board")
    with pytest.raises(ValueError, match=r" is a folder: name a file that defines a board$"):
        find_board(f"{tmp_path}/")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n\nBOARD = Bord()\n", ", line 3: NameError: name 'Bord' is not defined; correct the file"),
        ("x = 1\nimport no_such_module\n", ", line 2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\ny = (\n", r", line 2: SyntaxError: '\(' was never closed; correct the file"),
        ("def f():\n    1 / 0\n\nf()\n", ", line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", ", line 2: SystemExit: 3"),
        ("x = 1\0\n", ": SyntaxError: source code (string )?cannot contain null bytes"),
        ("x = 1\n", " defines no board: write BOARD = Board"),
        ("BOARD = 'icebreaker'\n", ": BOARD must be a Board, not 'icebreaker'"),
        (
            COPY + "a = replace(BOARDS['icebreaker'], name='a')\nb = replace(a, name='b')\n",
            r" defines several boards \(a, b\): write BOARD = Board",
        ),
        (COPY + "BOARD = BOARDS['icebreaker']\n", ": two rows of the boards are named 'icebreaker': give each"),
        (
            COPY + "BOARD = replace(BOARDS['icebreaker'], name='a/b')\n",
            ", line 3: ValueError: board 'a/b': a name has letters, digits",
        ),
        (
            COPY + "BOARD = replace(BOARDS['icebreaker'], block_rams=0)\n",
            ", line 3: ValueError: board icebreaker: block_rams must be a whole number of at least 1, not 0",
        ),
        (
            COPY + "BOARD = replace(BOARDS['icebreaker'], family='ice40')\n",
            ", line 3: ValueError: board icebreaker: family must be a Family, not 'ice40'",
        ),
        (
            COPY + "BOARD = replace(BOARDS['icebreaker'], link=3_000_000)\n",
            ", line 3: ValueError: board icebreaker: link must be a Uart or Usb, not 3000000",
        ),
        (
            "from zipsgd_hw.boards import Board\nBOARD = Board(\n    name='mine')\n",
            r", line 2: TypeError: Board.__init__\(\) missing \d+ required positional arguments",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(text: str, says: str, mine: Path) -> None:
    mine.write_text(text)
    with pytest.raises(ValueError, match=rf"^{mine}{says}"):
        find_board(str(mine))
    assert str(mine) not in sys.modules  # nothing of it is left


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("platform_class=MyPlatform", "platform_class=Board", "platform_class Board is no Amaranth platform"),
        ("platform_class=MyPlatform", "platform_class=7", "platform_class 7 is no Amaranth platform"),
        ('default_clk = "clk12"', 'default_clk = "clk16"', r"cannot be used \(ResourceError: Resource clk16#0"),
        ("    connectors = ()\n", "", r"cannot be used \(TypeError: Can't instantiate abstract class"),
        ('Resource("uart", 0', 'Resource("serial", 0', "has no resource 'uart' with rx and tx"),
        (', Subsignal("tx", Pins("9", dir="o"))', "", "has no resource 'uart' with rx and tx"),
        ("input_hz=12_000_000", "input_hz=16_000_000", "has an oscillator of 12000000 Hz, the row's input_hz is"),
        ('package = "SG48"', 'package = "SG48"\n    device = "iCE40HX8K"', "is for the device iCE40HX8K, the row"),
    ],
)  # fmt: skip
def test_a_wrong_platform_of_a_file_is_refused(
    before: str, after: str, says: str, mine: Path, tmp_path: Path
) -> None:
    name = changed(mine, before, after)
    with pytest.raises(ValueError, match=rf"^board my-board: .*{says}.*: correct the board's row$"):
        build_board(name, out_dir=tmp_path / "out", prepare_only=True)
