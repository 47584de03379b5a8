"""``zipsgd train --classify``, and what is done with its models."""

import json
import subprocess
import sys

import numpy as np
import pytest

import zipsgd
from zipsgd.estimators import ZipClassifier
from zipsgd.training.holdout import hold_out
from zipsgd.training.losses import logistic
from zipsgd.training.objective import CLASS_LOSSES, find_objective

RNG = np.random.default_rng(2)
X = RNG.normal(size=(150, 4)) * [1, 10, 0.1, 3] + [0, 4, 0, -7]
Y = np.digitize(X @ [2, 0, 3, 0.1], [-2, 1]) * 5.0 - 5  # -5, 0 and 5


def save_csv(path, labels, features=X):
    """Labels, called species, between features."""
    columns = np.column_stack([features[:, :1], labels, features[:, 1:]])
    header = ",".join(["x0", "species", *(f"x{i}" for i in range(1, features.shape[1]))])
    np.savetxt(path, columns, delimiter=",", header=header, comments="", fmt="%.17g")
    return path


@pytest.fixture
def csv(tmp_path):
    return save_csv(tmp_path / "three.csv", Y)


@pytest.fixture
def trained(run, csv, tmp_path):
    """Train on the three classes; what --json writes."""

    def call(*words):
        status, _, err = run(
            "train", csv, "--label", "species", "--classify", *words, "--json", tmp_path / "o.json"
        )
        assert status == 0, err
        return json.loads((tmp_path / "o.json").read_text())

    return call


def test_train_and_predict_digits(run, tmp_path):
    model, out = tmp_path / "m.json", tmp_path / "o.json"
    words = ("--epochs", 5, "--validation", 0.2, "--save", model, "--json", out)
    status, text, err = run("train", "digits", "--classify", *words)
    assert status == 0
    content = json.loads(out.read_text())
    assert content["train_score"] > 0.93
    assert content["held_out_score"] > 0.9
    assert (
        f"accuracy {content['train_score']:.4f} for 'label' on 1,438 rows x 64 columns, 10 classes, after 5 "
        in text
    )
    assert f"accuracy {content['held_out_score']:.4f} on 359 rows held out" in text
    assert "saturated" not in text
    assert len(content["loss"]) == sum(line.startswith("epoch") for line in err.splitlines()) == 5
    assert "3 of 64 columns never vary" in err
    assert content["classes"] == list(range(10))
    assert content["build"]["heads"] == 10
    status, text, err = run("predict", "digits", "--model", model)
    assert status == 0
    table = zipsgd.load("digits")
    right = np.mean([int(line) == label for line, label in zip(text.split(), table.labels, strict=True)])
    assert err == f"accuracy {right:.4f} over 1797 rows\n"
    kept, _ = hold_out(table, 0.2, 0, classify=True)
    assert zipsgd.load_model(model).score(kept.features, kept.labels) == content["train_score"]


@pytest.mark.parametrize("loss", CLASS_LOSSES)
def test_the_bits_are_those_of_the_estimator(loss, trained):
    words = ("--loss", loss, "--base-bits", 3, "--batch-size", 4, "--step-size", 0.02, "--schedule", "sqrt")
    content = trained(*words, "--sort-rows", "--epochs", 3, "--seed", 9, "--l2", 0.03, "--l1", 0.01)
    ours = ZipClassifier(
        loss=loss, base_bits=3, batch_size=4, step_size=0.02, schedule="sqrt", max_iter=3, random_state=9,
        penalty="elasticnet", alpha=0.04, l1_ratio=0.25,
    ).fit(X, Y)  # fmt: skip
    assert content["model_words"] == ours.model_words_.tolist()
    assert content["coef"] == ours.coef_.tolist()
    assert content["loss"] == [entry["loss"] for entry in ours.history_]
    assert content["step_sizes"] == [entry["step_size"] for entry in ours.history_]
    assert content["train_score"] == ours.score(X, Y)
    assert (content["loss_name"], content["classes"]) == (loss, [-5, 0, 5])
    assert (content["rows"], content["bits_per_value"], content["cycles"]) == (
        150,
        3 + find_objective(loss, classify=True).samples_per_value,
        None,
    )
    assert (content["label"], content["columns"]) == ("species", ["x0", "x1", "x2", "x3"])


def test_the_logistic_loss_streams_as_many_bits_as_are_without_bias(trained):
    content = trained("--loss", "logistic", "--base-bits", 3, "--epochs", 4)
    degree = logistic().polynomial.degree
    assert content["bits_per_value"] == 3 + degree + 1
    assert content["build"]["polynomial"] == degree
    assert content["train_score"] > 0.7


@pytest.mark.parametrize("refetch", ["certain", "likely"])
def test_samples_in_doubt_come_again(refetch, run, csv, tmp_path):
    words = (
        "--classify",
        "--loss",
        "hinge",
        "--refetch",
        refetch,
        "--base-bits",
        4,
        "--epochs",
        3,
        "--sort-rows",
    )
    status, text, err = run("train", csv, "--label", "species", *words, "--json", tmp_path / "o.json")
    assert status == 0, err
    content = json.loads((tmp_path / "o.json").read_text())
    ours = ZipClassifier(
        loss="hinge", refetch=refetch, base_bits=4, batch_size=zipsgd.Options().batch_size, max_iter=3, random_state=0
    ).fit(X, Y)  # fmt: skip
    assert content["model_words"] == ours.model_words_.tolist()
    assert content["refetched"] == [entry["refetched"] for entry in ours.history_]
    share = np.mean(content["refetched"])
    assert 0 < share < 1
    assert f"6 bits a value, and 10 more of the {share:.1%} of samples that came again: " in text
    moved = 3 * (
        (6 + 1) + share * (10 + 1)
    )  # three classes in turns; a plane takes a byte, and so does the label
    assert (
        f"{moved:.4g} bytes a row with labels and padding; float32 moves 20, {20 / moved:.1f} times as many"
        in text
    )
    assert content["build"]["refetch"] > 150
    assert sum(line.startswith("epoch") for line in err.splitlines()) == 3


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_bound_and_radius_are_of_the_model_of_scaled_features(loss, trained):
    scale = np.abs(X - X.mean(axis=0)).max(axis=0)
    content = trained("--loss", loss, "--bound", 0.3, "--epochs", 5)
    assert np.abs(content["coef"] * scale).max() == pytest.approx(0.3, rel=0.05)
    content = trained("--loss", loss, "--radius", 0.3, "--epochs", 20)
    np.testing.assert_allclose(np.linalg.norm(content["coef"] * scale, axis=1), 0.3, rtol=0.1)


def test_the_default_loss_is_the_estimators(trained):
    assert trained("--epochs", 1)["loss_name"] == ZipClassifier().loss


@pytest.mark.parametrize(
    "words",
    [
        ("--bound", 0.2, "--one-sided", "--fixed-up-bits"),
        ("--levels", "optimal", "--base-bits", 1, "--level-bits", 6, "--shared-levels"),
        ("--heads", 2, "--lanes", 4, "--estimator", "naive", "--schedule", "constant"),
    ],
)
def test_the_golden_model_gives_the_same_bits(words, trained):
    ours = trained("--epochs", 2, *words)
    golden = trained("--epochs", 2, *words, "--backend", "golden")
    assert golden["backend"] == "golden"
    assert ours["build"] == golden["build"]
    assert ours["model_words"] == golden["model_words"]
    assert ours["model_words"] != trained("--epochs", 2, "--base-bits", 4)["model_words"]


def test_a_board_with_one_head_takes_turns(trained, board, tmp_path):
    words = ("--epochs", 2, "--loss", "squared_error")
    ours = trained(*words, "--backend", board.url)
    assert ours["cycles"] > 0
    assert ours["sample_bytes"] < ours["link_bytes"]
    (tmp_path / "build.json").write_text(json.dumps({"build": ours["build"]}))
    assert ours["model_words"] == trained(*words, "--build", tmp_path / "build.json")["model_words"]


def test_the_virtual_board_gives_the_same_bits(trained):
    words = ("--epochs", 1, "--loss", "squared_error", "--lanes", 4, "--max-features", 32, "--heads", 1)
    assert trained(*words, "--backend", "sim")["model_words"] == trained(*words)["model_words"]


def test_builds_have_the_heads_that_there_is_room_for(trained):
    assert trained("--epochs", 1)["build"]["heads"] == 3
    build = trained("--epochs", 1, "--lanes", 4, "--max-features", 16)["build"]
    assert (build["lanes"], build["max_features"], build["heads"], build["hinge"]) == (4, 16, 2, 1)


def test_two_classes_with_and_without_labels(run, tmp_path):
    labels = np.where(Y > 0, 1, -1)
    model = tmp_path / "m.json"
    words = ("--label", "species", "--classify", "--quiet", "--save", model)
    assert run("train", save_csv(tmp_path / "two.csv", labels), *words) == (0, "", "")
    header = "x3,x2,x1,x0"
    np.savetxt(tmp_path / "new.csv", X[:, ::-1], delimiter=",", header=header, comments="", fmt="%.17g")
    status, text, err = run("predict", tmp_path / "new.csv", "--model", model)
    assert status == 0
    assert "150 rows of the model's 4 features, no labels; header: yes (x3, x2, x1, x0)" in err
    assert "accuracy" not in err
    assert set(text.split()) == {"-1", "1"}
    right = np.mean(np.array(text.split(), dtype=float) == labels)
    assert right > 0.9
    again, text_again, err = run("predict", tmp_path / "two.csv", "--model", model)
    assert (again, text_again) == (0, text)
    assert err.endswith(f"\naccuracy {right:.4f} over 150 rows\n")


def test_a_set_larger_than_memory(run, tmp_path):
    np.save(tmp_path / "t.npy", np.column_stack([X, Y]))
    results = []
    for memory in ("1G", "1K"):
        words = ("--classify", "--epochs", 2, "--validation", 0.3, "--memory", memory)
        status, _, err = run("train", tmp_path / "t.npy", *words, "--json", tmp_path / "o.json")
        assert status == 0
        assert ("every epoch reads, scales and packs it anew" in err) == (memory == "1K")
        content = json.loads((tmp_path / "o.json").read_text())
        results.append([content[name] for name in ("model_words", "loss", "train_score", "held_out_score")])
    assert results[0] == results[1]


def test_saturation_is_warned_of(run, csv):
    words = ("--label", "species", "--classify", "--step-size", 3, "--schedule", "constant")
    status, text, err = run("train", csv, *words)
    assert status == 0
    assert "warning: the model got worse after epoch 12 of 20" in text
    assert "the model of epoch 12 is kept, the best one" in text
    _, quiet, err = run("train", csv, *words, "--quiet")
    assert quiet == ""
    assert err.startswith("warning: the model got worse")
    assert "ConvergenceWarning" not in err


def test_a_set_of_classes_without_classify_gets_a_hint(run):
    words = ("train", "digits", "--drop-constant", "--epochs", 1)
    hint = "the labels of digits are classes: --classify trains a classifier on them"
    assert hint in run(*words)[1].splitlines()
    assert "--classify" not in run(*words, "--classify")[1]
    assert "--classify" not in run("train", "diabetes", "--epochs", 1)[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--loss", "hinge"),
            "the loss 'hinge' is for classes: set classify=True (on the command line: --classify), or",
        ),
        (
            ("--refetch", "certain"),
            "refetch is for hinges, on classes: set classify=True (on the command line: --cl",
        ),
        (("--patience", 3), "--patience needs rows to measure models on: say --validation 0.2"),
        (("--resume",), "to resume a run, name its checkpoint (on the command line: --checkpoint FILE)"),
        (("--classify",), "the labels of diabetes are amounts, no classes: leave out --classify"),
    ],
)
def test_options_that_do_not_go_together(words, says, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("train", "diabetes", *words)
    assert (status, out) == (2, "")
    assert err.startswith(f"zipsgd: {says}")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "words", "says"),
    [
        (np.full(150, 2), (), "every 'species' is 2; a classifier needs rows of two classes"),
        (np.arange(150), (), "'species' has 150 different values in 150 rows, which looks like regression"),
        (Y, ("--base-bits", 9), "base_bits must be in 1..8"),
        (
            Y,
            ("--loss", "logistic", "--refetch", "certain"),
            "refetch does not work with the loss polynomial_margin",
        ),
        (Y, ("--backend", "emulatr"), "no backend 'emulatr'"),
        (Y, ("--lanes", 3), "lanes"),
        (Y, ("--max-features", 8, "--heads", 3), "features"),
        (Y, ("--trace", "x.vcd"), "only a virtual board writes a waveform"),
        (Y, ("--backend", "/dev/x", "--heads", 2), "the board on /dev/x has one already"),
        (Y, ("--validation", 0), "which 0 does not"),
    ],
)
def test_bad_input(labels, words, says, run, tmp_path, refused):
    path = save_csv(tmp_path / "t.csv", labels)
    refused(run("train", path, "--label", "species", "--classify", *words), says)


def test_more_than_a_thousand_classes(run, tmp_path):
    labels = np.repeat(np.arange(1001), 2)
    path = save_csv(tmp_path / "t.csv", labels, RNG.normal(size=(2002, 2)))
    status, _, err = run("train", path, "--label", "species", "--classify")
    assert status == 2
    assert "'species' has 1,001 different values in 2,002 rows, which looks like regression" in err
    assert "leave out --classify" in err


def test_text_for_classes_without_classify_is_refused_with_the_fix(run, tmp_path, refused):
    (tmp_path / "t.csv").write_text("x,species\n1,ant\n2,bee\n")
    said = "the label 'species' is text, such as 'ant', 'bee': --classify trains a classifier on it"
    refused(run("train", tmp_path / "t.csv"), f"{tmp_path / 't.csv'}: {said}")


def test_a_board_without_other_losses(run, csv, board):
    status, out, err = run("train", csv, "--label", "species", "--classify", "--backend", board.url)
    assert (status, out) == (2, "")
    assert "does not support hinge losses: take a build with hinge=1" in err
    words = ("--loss", "logistic", "--backend", board.url)
    status, out, err = run("train", csv, "--label", "species", "--classify", *words)
    assert (status, out) == (2, "")
    assert (
        "needs a polynomial of degree 5, but this build supports no polynomials: take a build with polynomial=5"
        in err
    )


def test_classes_need_no_scikit_learn(csv):
    program = """
import sys

sys.modules["sklearn"] = None
from zipsgd.cli import main

sys.exit(main(sys.argv[1:]))
"""
    words = ("train", csv, "--label", "species", "--classify", "--epochs", "2")
    ended = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("accuracy 0.")


def test_a_run_on_classes_is_kept_and_goes_on(run, csv, tmp_path):
    words = ("train", csv, "--label", "species", "--classify", "--epochs", 4)
    whole, kept, out = tmp_path / "whole.json", tmp_path / "kept.json", tmp_path / "o.json"
    assert run(*words, "--json", whole)[0] == 0
    assert run(*words, "--checkpoint", kept)[0] == 0
    content = json.loads(kept.read_text())
    run_so_far = content["run"]
    assert len(run_so_far["epochs"]) == 4
    assert run(*words, "--checkpoint", kept)[0] == 2
    status, _, err = run(*words, "--checkpoint", kept, "--resume", "--json", out)
    assert status == 0
    assert "going on after epoch 4 of 4" in err
    first, second = (json.loads(path.read_text()) for path in (whole, out))
    assert first["model_words"] == second["model_words"]
    assert first["loss"] == second["loss"]


def test_the_report_of_a_classifier(run, csv, tmp_path):
    words = ("--label", "species", "--classify", "--epochs", 2, "--report", tmp_path / "r")
    status, text, _ = run("train", csv, *words)
    assert status == 0
    assert "times the loss of float64 SGD" in text
    content = json.loads((tmp_path / "r" / "report.json").read_text())
    assert 0 < content["comparison"]["float_score"] <= 1
    assert (tmp_path / "r" / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_verify_classes(run, csv):
    words = ("--label", "species", "--classify", "--loss", "logistic", "--epochs", 1)
    status, text, _ = run("verify", csv, *words)
    assert status == 0
    assert text == "emulator against golden: 0 of 1 losses, 0 of 15 model words differ\nidentical\n"


def test_every_epoch_measured_and_logged(run, csv, tmp_path):
    words = ("--label", "species", "--classify", "--epochs", 3, "--validation", 0.2, "--measure")
    status, _, err = run("train", csv, *words, "--log", tmp_path / "l.csv", "--json", tmp_path / "o.json")
    assert status == 0
    assert err.count("held-out score") == 3
    content = json.loads((tmp_path / "o.json").read_text())
    header, *lines = (tmp_path / "l.csv").read_text().splitlines()
    column = header.split(",").index("validation_score")
    assert [float(line.split(",")[column]) for line in lines] == content["validation_scores"]
    assert content["validation_scores"][-1] == content["held_out_score"]
    assert len(content["exact_losses"]) == len(content["scores"]) == 3


def test_patience_keeps_the_best_model(run, csv, tmp_path):
    words = ("--label", "species", "--classify", "--epochs", 60, "--validation", 0.2, "--patience", 2)
    status, _, _ = run("train", csv, *words, "--schedule", "sqrt", "--json", tmp_path / "o.json")
    assert status == 0
    content = json.loads((tmp_path / "o.json").read_text())
    scores = content["validation_scores"]
    assert 2 < len(scores) < 60
    assert content["held_out_score"] == max(scores)
