"""The commands, in this process: what a user gives, and what comes out."""

import json

import numpy as np
import pytest

import zipsgd
from zipsgd.cli import main
from zipsgd.cli.main import parser
from zipsgd.cli.training_options import options_of

COMMANDS = (
    "train",
    "predict",
    "verify",
    "sim",
    "boards",
    "build",
    "report",
    "program",
    "serve",
    "doctor",
    "bench",
)


@pytest.fixture
def csv(tmp_path, small_table):
    """The small table as a CSV file with a header, its label in the middle."""
    path = tmp_path / "small.csv"
    columns = [*small_table.features.T[:3], small_table.labels, *small_table.features.T[3:]]
    header = "x0,x1,x2,price,x3,x4,x5"
    np.savetxt(path, np.column_stack(columns), delimiter=",", header=header, comments="", fmt="%.17g")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"examples:\n  zipsgd {'train' if command == 'predict' else command}" in text
    if command in ("train", "verify", "predict"):
        assert "cadata" in text
        assert ".libsvm" in text


def test_the_examples_can_be_parsed():
    """Of every command's help, and of the top one."""
    commands = next(
        a for a in parser()._actions if hasattr(a, "choices") and a.choices and "train" in a.choices
    )
    texts = [parser().epilog, *(command.epilog for command in commands.choices.values())]
    lines = [line.strip() for text in texts for line in text.splitlines() if line.startswith("  zipsgd")]
    assert len(lines) > 25
    for line in lines:
        words = line.split("   ")[0].split(">")[0].split()
        assert parser().parse_args(words[1:]).run


def test_train_json_holds_what_is_promised(run, csv, tmp_path, small_table):
    out = tmp_path / "sub" / "run.json"
    status, text, _ = run("train", csv, "--label", "price", "--epochs", 3, "--json", out)
    assert status == 0
    content = json.loads(out.read_text())
    assert {
        "loss", "coef", "intercept", "model_words", "bits_per_value", "cycles", "flags", "options", "build"
    } <= content.keys()  # fmt: skip
    expected = zipsgd.train(small_table, options=zipsgd.Options(epochs=3))
    assert content["model_words"] == expected.model_words
    assert content["loss"] == expected.loss
    assert content["columns"] == [f"x{i}" for i in range(6)]
    assert content["label"] == "price"
    assert content["cycles"] is None
    assert f"loss {expected.final_loss:.6f}" in text
    assert f"wrote {out}" in text


@pytest.mark.parametrize("kind", ["npy", "npz", "libsvm", "tsv"])
def test_train_takes_every_kind_of_file(kind, run, tmp_path, small_table):
    features, labels = small_table.features.astype(np.float32), small_table.labels
    path = tmp_path / f"t.{kind}"
    if kind == "npz":
        np.savez(path, X=features, y=labels)
    elif kind == "npy":
        np.save(path, np.column_stack([features, labels]))
    elif kind == "tsv":
        np.savetxt(path, np.column_stack([features, labels]), delimiter="\t", fmt="%.17g")
    else:
        rows = (
            f"{b:.17g} " + " ".join(f"{i + 1}:{v:.17g}" for i, v in enumerate(row))
            for row, b in zip(features, labels)
        )
        path.write_text("\n".join(rows))
    status, _, _ = run("train", path, "--epochs", 1, "--json", tmp_path / "o.json")
    assert status == 0
    expected = zipsgd.train(zipsgd.Table.from_arrays(features, labels), options=zipsgd.Options(epochs=1))
    assert json.loads((tmp_path / "o.json").read_text())["model_words"] == expected.model_words


def test_every_option_reaches_the_training(run, tmp_path):
    options = zipsgd.Options(
        base_bits=3, estimator="naive", batch_size=4, step_size=0.01, schedule="sqrt", epochs=2, seed=9,
        one_sided=True, fresh=False,
    )  # fmt: skip
    words = ["--base-bits", 3, "--estimator", "naive", "--batch-size", 4, "--step-size", 0.01]
    words += ["--schedule", "sqrt", "--epochs", 2, "--seed", 9, "--one-sided", "--fixed-up-bits"]
    words += ["--lanes", 16, "--max-features", 64, "--backend", "golden"]
    assert run("train", "diabetes", *words, "--json", tmp_path / "o.json")[0] == 0
    content = json.loads((tmp_path / "o.json").read_text())
    assert zipsgd.Options(**content["options"]) == options
    assert (content["build"]["lanes"], content["build"]["max_features"]) == (16, 64)
    assert content["backend"] == "golden"
    defaults = parser().parse_args(["train", "diabetes"])
    assert options_of(defaults) == zipsgd.Options()


def test_levels(run, csv, tmp_path, small_table):
    words = ["--levels", "optimal", "--base-bits", 0, "--level-bits", 6, "--shared-levels", "--epochs", 2]
    assert run("train", csv, "--label", "price", *words, "--json", tmp_path / "o.json")[0] == 0
    content = json.loads((tmp_path / "o.json").read_text())
    options = zipsgd.Options(base_bits=0, epochs=2, levels="optimal", level_bits=6, shared_levels=True)
    assert zipsgd.Options(**content["options"]) == options.resolved(diagonal=True)
    assert content["model_words"] == zipsgd.train(small_table, options=options).model_words
    assert content["bits_per_value"] == 2
    # A transcoder for as many planes as it takes, or as many as are asked for
    assert (content["build"]["level_bits"], content["build"]["level_p_max"]) == (8, 0)
    words += ["--level-planes", 3]
    assert run("train", csv, "--label", "price", *words, "--json", tmp_path / "o.json")[0] == 0
    assert json.loads((tmp_path / "o.json").read_text())["build"]["level_p_max"] == 3


def test_report_on_levels(run, csv, tmp_path):
    words = ("--levels", "optimal", "--base-bits", 0, "--report", tmp_path / "r")
    status, text, _ = run("train", csv, "--label", "price", *words)
    assert status == 0
    assert (
        "2 bits a value: 4 bytes a row with labels and padding; float32 moves 28, 7.0 times as many" in text
    )
    assert "naive quantisation ends at" in text


def test_progress_says_what_there_is(run, csv, board):
    status, text, err = run("train", csv, "--label", 3, "--epochs", 2, "--backend", board.url)
    assert status == 0
    lines = [line for line in err.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2
    for number, line in enumerate(lines, 1):
        assert line.startswith(f"epoch   {number}  loss 0.")
        assert "samples/s" in line
        assert "cycles" in line
        assert line.endswith("% of the plane limit")
    assert "MHz" in text
    status, text, err = run("train", csv, "--label", 3, "--epochs", 2, "--quiet")
    assert (status, text, err) == (0, "", "")


def test_report(run, csv, tmp_path):
    folder = tmp_path / "a" / "report"
    status, text, _ = run("train", csv, "--label", "price", "--report", folder)
    assert status == 0
    content = json.loads((folder / "report.json").read_text())
    assert f"{content['comparison']['over_float']:.4f} times the loss of float64 SGD" in text
    assert f"naive quantisation ends at {content['comparison']['naive_over_float']:.4f}" in text
    assert (
        "4 bits a value: 6 bytes a row with labels and padding; float32 moves 28, 4.7 times as many" in text
    )
    assert (folder / "loss.png").stat().st_size > 1000


def test_save_and_predict(run, csv, tmp_path, small_table):
    model = tmp_path / "m.json"
    assert run("train", csv, "--label", "price", "--save", model)[0] == 0
    expected = zipsgd.load_model(model).predict(small_table.features)
    status, text, err = run("predict", csv, "--model", model)
    assert status == 0
    np.testing.assert_allclose([float(line) for line in text.split()], expected, rtol=1e-8)
    score = zipsgd.load_model(model).score(small_table.features, small_table.labels)
    assert err.endswith(f"header: yes (x0, x1, x2, price, x3, x4 and 1 more)\nR2 {score:.4f} over 210 rows\n")
    # without labels, columns in another order
    other = tmp_path / "other.csv"
    order = [5, 2, 0, 1, 4, 3]
    header = ",".join(f"x{i}" for i in order)
    np.savetxt(other, small_table.features[:, order], delimiter=",", header=header, comments="", fmt="%.17g")
    status, text, err = run("predict", other, "--model", model, "--out", tmp_path / "p.txt")
    assert (status, text) == (0, f"wrote 210 predictions to {tmp_path / 'p.txt'}\n")
    assert "R2" not in err
    np.testing.assert_allclose(np.loadtxt(tmp_path / "p.txt"), expected, rtol=1e-8)


def test_constant_columns(run, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"{k},5,{k * 2}\n" for k in range(20)))
    status, _, err = run("train", path, "--json", tmp_path / "o.json")
    assert status == 0
    assert "1 of 2 columns never vary ('b'): their weights stay 0" in err
    assert json.loads((tmp_path / "o.json").read_text())["coef"][1] == 0
    assert run("train", path, "--drop-constant", "--save", tmp_path / "m.json")[0] == 0
    assert len(run("predict", path, "--model", tmp_path / "m.json")[1].split()) == 20


def test_rows_held_out(run, csv, tmp_path, small_table):
    words = ("train", csv, "--label", "price", "--epochs", 3, "--seed", 4, "--validation", 0.1)
    status, text, _ = run(*words, "--json", tmp_path / "o.json", "--save", tmp_path / "m.json")
    assert status == 0
    content = json.loads((tmp_path / "o.json").read_text())
    kept, held = small_table.split(0.1, 4)
    expected = zipsgd.train(kept, options=zipsgd.Options(epochs=3, seed=4))
    assert content["model_words"] == expected.model_words
    assert (content["rows"], content["held_out"]) == (189, 21)
    assert content["held_out_score"] == pytest.approx(expected.score(held.features, held.labels))
    assert f"R2 {content['held_out_score']:.4f} on 21 rows held out\n" in text
    assert zipsgd.load_model(tmp_path / "m.json").held_out == 21


def test_a_column_that_varies_in_rows_held_out_alone(run, tmp_path):
    rows = np.arange(40.0)
    _, held = zipsgd.Table.from_arrays(rows[:, None], rows).split(0.1, 0)
    table = np.column_stack([rows, np.isin(rows, held.labels), 3 * rows])
    np.savetxt(tmp_path / "t.csv", table, delimiter=",")
    words = ("train", tmp_path / "t.csv", "--validation", 0.1)
    status, text, err = run(*words)
    assert status == 0
    assert "1 of 2 columns never vary ('column 1')" in err
    assert "on 4 rows held out" in text


def test_no_score_where_labels_held_out_are_alike(run, tmp_path):
    rows = np.arange(40.0)
    _, held = zipsgd.Table.from_arrays(rows[:, None], rows).split(0.1, 0)
    np.savetxt(tmp_path / "t.csv", np.column_stack([rows, np.where(np.isin(rows, held.labels), 5, rows)]))
    out = tmp_path / "o.json"
    status, text, _ = run("train", tmp_path / "t.csv", "--validation", 0.1, "--json", out)
    assert status == 0
    assert "held out" not in text
    assert json.loads(out.read_text())["held_out_score"] is None


def test_verify(run, csv, board):
    words = ("--label", "price", "--epochs", 1, "--base-bits", 4)
    for names in (("emulator", "golden"), (board.url, "golden"), ("emulator", board.url)):
        status, text, err = run("verify", csv, *words, "--backend", names[0], "--against", names[1])
        assert status == 0
        assert text == f"{names[0]} against {names[1]}: 0 of 1 losses, 0 of 7 model words differ\nidentical\n"
        assert [line for line in err.splitlines() if line.startswith("training")] == [
            f"training on {name}" for name in names
        ]


def test_verify_on_levels(run, csv, level_board, refused):
    words = ("--label", "price", "--epochs", 1, "--levels", "optimal", "--base-bits", 1)
    for backend in ("emulator", level_board.url):
        status, text, _ = run("verify", csv, *words, "--backend", backend)
        assert status == 0
        assert text.endswith("0 of 1 losses, 0 of 7 model words differ\nidentical\n")
    refused(
        run("verify", csv, *words[:-1], 3, "--backend", level_board.url),
        "base planes p must be in 0..2 on this build, not 3",
    )


def test_verify_tells_a_difference(run, csv, monkeypatch):
    monkeypatch.setattr("zipsgd.backends.golden.GoldenTrainer.flags", 8, raising=False)
    monkeypatch.setattr(
        "zipsgd.backends.golden.GoldenBackend.model",
        lambda self: self._trainer.master + np.eye(7, dtype=np.int64)[0],
    )
    status, text, _ = run("verify", csv, "--label", "price", "--epochs", 1)
    assert status == 1
    assert text.splitlines() == [
        "emulator against golden: 1 of 1 losses, 1 of 7 model words differ",
        "NOT identical",
    ]


# Bad input


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "nosuch"), "no file nosuch, and no set of that name; named sets: cadata"),
        (("train", "diabetes", "--label", "y"), "the set diabetes already has a label"),
        (
            ("train", "diabetes", "--validation", "1"),
            "must be between 0 and 1 and leave at least one of the 442 rows",
        ),
        (("train", "diabetes", "--validation", "0.001"), "rows on either side, which 0.001 does not"),
        (("train", "diabetes", "--backend", "emulatr"), "no backend 'emulatr'; backends: emulator"),
        (("train", "diabetes", "--epochs", "0"), "epochs must be in"),
        (("train", "diabetes", "--base-bits", "9"), "base_bits must be in 1..8"),
        (("train", "diabetes", "--base-bits", "0"), "base_bits must be in 1..8"),
        (("train", "diabetes", "--levels", "optimal", "--base-bits", "5"), "base_bits must be in 0..4"),
        (("train", "diabetes", "--levels", "optimal", "--level-bits", "9"), "level_bits must be in 2..8"),
        (
            ("train", "diabetes", "--levels", "optimal", "--level-planes", "1"),
            "base planes p must be in 0..1",
        ),
        (("train", "diabetes", "--level-planes", "5"), "level_p_max must be in 0..4"),
        (("train", "diabetes", "--backend", "/dev/x", "--level-planes", "2"), "has one already"),
        (("train", "diabetes", "--lanes", "3"), "lanes"),
        (
            ("train", "diabetes", "--max-features", "8"),
            "there are 10 columns, and this build takes 7, besides the intercept",
        ),
        (("train", "diabetes", "--batch-size", "5000"), "batch_size must be in 1..4096"),
        (("train", "diabetes", "--trace", "x.vcd"), "only a virtual board writes a waveform"),
        (("train", "diabetes", "--baud", "9600"), "the backend emulator has no link"),
        (("train", "diabetes", "--backend", "sim", "--baud", "9600"), "baud must be from"),
        (
            ("train", "diabetes", "--usb", "full"),
            "usb puts the virtual board on a USB bus, and the backend is",
        ),
        (("sim", "--usb", "high", "--baud", "9600"), "--baud is the rate of another line than --usb"),
        (("sim", "--usb", "high", "--uart"), "a virtual board with USB has no UART"),
        (("train", "diabetes", "--backend", "sim", "--trace", "x.fst"), "waveforms are written as VCD"),
        (("train", "diabetes", "--backend", "/dev/x", "--lanes", "8"), "the board on /dev/x has one already"),
        (("train", "diabetes", "--build", "none.json"), "none.json holds no build"),
        (("verify", "diabetes", "--against", "emulatr"), "no backend 'emulatr'"),
        (("predict", "diabetes", "--model", "none.json"), "no model file none.json"),
        (("build", "--board", "nosuch"), "no board 'nosuch'; boards: icebreaker"),
        (("report", "none"), "no report of a build in none"),
        (("bench", "nosuch"), "no bench 'nosuch'; benches: "),
        (("sim", "--lanes", "3"), "lanes"),
        (("sim", "--port", "70000"), "port must be in 0..65535"),
        (("sim", "--netlist", "ice40", "--power-up", "0"), "power_up must be in 1..2147483647"),
        (("sim", "--netlist", "ecp5", "--trace", "x.vcd"), "a netlist has no waveform"),
        (("sim", "--sdram-mhz", "120"), "the clock of the chip that --sdram names: give both"),
        (("sim", "--sdram", "nosuch"), "sdram must be one of 16Mx16"),
    ],
)
def test_bad_arguments(words, says, run, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    refused(run(*words), says)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [("nosuch",), ("train",), ("train", "x", "--epochs", "two"), ("sim", "--pty", "--port", "1")]
)
def test_bad_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    assert "usage: zipsgd" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--save", "--json", "--report"])
def test_unwritable_output_before_any_work(option, run, tmp_path, monkeypatch, refused):
    # First the module that takes the function over when it is imported, which must not happen while that is replaced
    for module in ("comparison", "api"):
        monkeypatch.setattr(f"zipsgd.training.{module}.train_task", lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    wrong = "file" if option == "--report" else "folder"
    refused(
        run("train", "diabetes", option, tmp_path / wrong),
        f"cannot write {tmp_path / wrong}: it is a {wrong}",
    )
    below = tmp_path / "file" / "below"
    refused(run("train", "diabetes", option, below), f"cannot write {below}", "name another place")


def test_a_broken_model(run, tmp_path, refused):
    (tmp_path / "m.json").write_text('{"format": "zipsgd model 1", "coef": [')
    refused(
        run("predict", "diabetes", "--model", tmp_path / "m.json"),
        "m.json is no model of 'zipsgd train --save'",
    )


def test_link_errors_have_status_1(run, board, tmp_path):
    status, out, err = run("train", "diabetes", "--backend", "/dev/none")
    assert (status, out) == (1, "")
    assert err.startswith("zipsgd: cannot open /dev/none")
    zipsgd.train(zipsgd.load("diabetes"), options=zipsgd.Options(epochs=1)).save(tmp_path / "m.json")
    status, out, err = run("train", "diabetes", "--backend", board.url, "--build", tmp_path / "m.json")
    assert (status, out) == (1, "")
    assert "holds another build: lanes 4 (wanted 8)" in err
