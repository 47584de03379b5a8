"""``zipsgd train`` with several labels: an output each."""

import json

import numpy as np

RNG = np.random.default_rng(2)


def test_several_outputs(run, tmp_path):
    path, features = tmp_path / "t.csv", RNG.normal(size=(150, 4))
    columns = np.column_stack([features, features @ [1, 2, 0, 0]])
    np.savetxt(path, columns, delimiter=",", header="x0,x1,x2,x3,y", comments="", fmt="%.17g")
    model = tmp_path / "m.json"
    words = ("train", path, "--label", "y", "--label", "x3", "--epochs", 3)
    status, _, err = run(*words, "--save", model)
    assert status == 0, err
    content = json.loads(model.read_text())
    assert np.shape(content["coef"]) == (2, 3)
    assert content["label"] == "y, x3"
    status, text, err = run("predict", path, "--model", model)
    assert status == 0
    assert [len(line.split(",")) for line in text.split()] == [2] * 150
    assert "\nR2 " in err
    assert run("verify", *words[1:])[0] == 0
    status, text, _ = run(*words, "--report", tmp_path / "r")
    assert (status, "naive quantisation ends at" in text) == (0, True)
