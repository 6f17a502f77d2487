import json

import pytest


def test_layers(run, model_file):
    told = json.loads(run("layers", model_file, "--json").stdout)
    assert told == [
        {
            "layer": "conv",
            "kind": "Conv2D",
            "shape": [11, 15, 4],
            "map_shape": [11, 15],
            "default": True,
        }
    ]
    result = run("layers", model_file)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[3].split() == [
        *("conv", "Conv2D", "11×15×4", "11×15", "default")
    ]


def test_layers_that_run_twice_can_be_told_apart(run, photo, tmp_path):
    import keras

    doc = keras.Input((None, 8, 3))
    conv = keras.layers.Conv2D(3, 3, padding="same", name="conv")
    keras.Model(doc, keras.layers.GlobalAveragePooling2D()(conv(conv(doc)))).save(
        tmp_path / "twice.keras"
    )
    told = json.loads(run("layers", tmp_path / "twice.keras", "--json").stdout)
    assert [(one["layer"], one["default"]) for one in told] == [("conv#0", False), ("conv#1", True)]
    assert "any×8×3" in run("layers", tmp_path / "twice.keras").stdout
    options = ("--model", tmp_path / "twice.keras", "--layer", "conv#0", "--json")
    [record] = json.loads(run("explain", photo, *options).stdout)
    assert record["layer"] == "conv#0"


def test_layers_of_a_named_model_need_no_weights(run):
    told = json.loads(run("layers", "mobilenetv2", "--json").stdout)
    assert [one["layer"] for one in told if one["default"]] == ["out_relu"]
    assert all(len(line) <= 80 for line in run("layers", "MobileNetV2").stdout.splitlines())


def test_layers_of_no_model(fails, tmp_path):
    import keras

    assert "did you mean 'xception'?" in fails(2, "layers", "Exception")
    assert fails(1, "layers", "no.keras") == "no.keras: there is no such file to read a model from"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "rows.keras")
    line = fails(1, "layers", tmp_path / "rows.keras")
    assert line.endswith("has no layer with two spatial axes greater than 1")


@pytest.mark.parametrize("as_json", [False, True])
def test_methods(run, as_json):
    from explainkit.methods import METHODS

    result = run("methods", *["--json"] * as_json)
    assert result.exit_code == 0
    if as_json:
        told = json.loads(result.stdout)
        assert [one["name"] for one in told] == list(METHODS)
        fields = {"name", "title", "formula", "source", "forward", "backward", "options"}
        assert all(set(one) == fields for one in told)
        [ours] = [one for one in told if one["name"] == "gradcam"]
        assert ours["options"] == ["fusion", "counterfactual"]
        assert (ours["forward"], ours["backward"]) == ("1", "1, behind the layer")
    else:
        assert all(name in result.stdout for name in METHODS)
        assert all(len(line) <= 80 for line in result.stdout.splitlines())
