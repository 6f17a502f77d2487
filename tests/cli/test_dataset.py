"""`explainkit dataset`: one command for a folder or a table, which goes on where it was stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def photos(tmp_path, make_photo) -> Path:
    """Six pictures in two folders."""
    for number in range(6):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        make_photo(folder / f"{number}.png", seed=number)
    return tmp_path / "photos"


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def rows_of(out):
    """All rows, in the order of their shards."""
    files = sorted((out / "shards").glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def explained(run, *arguments):
    """Run what must go well; give what is printed."""
    result = run("dataset", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_rows_say_what_explain_says_of_the_same_pictures(run, photos, model_file, labels_file, out):
    question = (
        *("--model", model_file, "--labels", labels_file, "--top", 2, "--counterfactual"),
        *("--probability", "--layer", "conv", "--method", "hirescam", "--preprocess", "-1..1"),
    )
    told = explained(run, photos, *question, "-o", out)
    assert "6 documents, 12 rows in " in told
    records = {}
    for folder in ("a", "b"):
        result = run("explain", photos / folder, *question, "--json")
        records |= {
            str(Path(one["image"]).relative_to(photos)): one for one in json.loads(result.stdout)
        }
    known = [(key, one) for key in sorted(records) for one in records[key]["targets"]]
    rows = rows_of(out).to_pylist()
    for row, (key, target) in zip(rows, known, strict=True):
        assert (row["key"], row["label"], row["layer"]) == (key, target["label"], "conv")
        np.testing.assert_allclose(row["score"], target["score"], rtol=1e-4)
        np.testing.assert_allclose(
            row["heatmap"], np.ravel(target["heatmap"]), rtol=2e-3, atol=2e-4
        )


def test_options_become_arguments(run, tmp_path, monkeypatch):
    from explainkit import datasets, methods

    given = {}

    def explain_dataset(*arguments, **options):
        given.update(options, positional=arguments)
        counts = {"docs": 2, "explained_now": 2, "rows": 2, "blank": 0}
        return datasets.Summary(output="there", errors={"OSError": 1}, seconds=4.0, **counts)

    monkeypatch.setattr(datasets, "explain_dataset", explain_dataset)
    told = explained(
        run,
        *("photos.parquet", "--model", "MobileNetV2", "-o", "s3://mine/out"),
        *("--weights", "w.h5", "--preprocess", "0..1", "--size", "24x32", "--method", "rise"),
        *("--set", "masks=50", "--tta", "--layer", "3", "--target", "5", "--target", "other:1"),
        *("--overlays", "--shard-size", 7, "--key-column", "id", "--image-column", "jpeg"),
        *("--batch-size", 3, "--engine", "ray", "--workers", "1:8", "--cpus", 2, "--gpus", 0.5),
        *("--threads", 4, "--no-progress", "--max-errors", 9, "--retry-errors", "--json"),
    )
    assert given.pop("method") == methods.tta(methods.find_method("rise", {"masks": 50}))
    running = {"engine": "ray", "workers": (1, 8), "cpus": 2.0, "gpus": 0.5, "threads": 4}
    kept = {"overlays": True, "shard_size": 7, "max_errors": 9, "retry_errors": True}
    intake = {"weights": Path("w.h5"), "preprocess": "0..1", "size": (24, 32)}
    columns = {"key_column": "id", "image_column": "jpeg"}
    assert given == running | kept | intake | columns | {
        "positional": ("MobileNetV2", "photos.parquet", "s3://mine/out"),
        "targets": [5, ("other", 1)],
        "top_targets": 1,
        "layer": 3,
        "target_names": None,
        "logits": True,
        "batch_size": 3,
        "progress": False,
    }
    summary = json.loads(told)
    assert (summary["failed"], summary["rate"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("target", "unit"), [("dog", 1), ("1", 1), ("classes:1", 1), ("2", 0), ("ratio 4:3", 2)]
)
def test_targets_are_told_without_the_model(target, unit):
    from explainkit.cli.questions import parse_target
    from explainkit.targets import Output, TargetSpace

    labels = ["2", "dog", "ratio 4:3"]
    space = TargetSpace((Output("classes", (3,), "softmax"),), labels)
    assert space.choose([parse_target(target, labels)], 1).indices.tolist() == [[unit]]


def test_units_of_several_outputs(run, photos, small_model, out, tmp_path):
    import keras

    model = small_model()
    other = keras.layers.Dense(2, name="other")(model.get_layer("classes").input)
    keras.Model(model.input, [model.output, other], name="both").save(tmp_path / "both.keras")
    options = ("--target", "other:1", "--target", "classes:2", "--preprocess", "0..1")
    explained(run, photos, "--model", tmp_path / "both.keras", *options, "-o", out)
    first, second, *_ = rows_of(out).to_pylist()
    assert (first["output"], first["target"]) == ("other", 1)
    assert (second["output"], second["target"]) == ("classes", 2)


def test_what_a_shell_makes_of_a_glob_is_many_files(run, photos, model_file, out, tmp_path):
    files = sorted(photos.glob("*/*.png"))
    model = ("--model", model_file, "--preprocess", "0..1")
    explained(run, *files, *model, "-o", out)
    assert rows_of(out)["key"].to_pylist() == [str(file) for file in files]
    quoted = tmp_path / "quoted"
    explained(run, f"{photos}/*/*.png", *model, "-o", quoted)
    assert rows_of(quoted)["key"].to_pylist() == ["a/0.png", "a/2.png", "a/4.png",
                                                  "b/1.png", "b/3.png", "b/5.png"]  # fmt: skip
    assert rows_of(quoted)["heatmap"].equals(rows_of(out)["heatmap"])


def test_columns_of_a_table_are_named(run, photos, model_file, out, tmp_path):
    files = sorted(photos.glob("*/*.png"))
    names = [file.stem for file in files]
    table = pa.table({"what": names, "jpeg": [file.read_bytes() for file in files]})
    pq.write_table(table, tmp_path / "photos.parquet")
    columns = ("--key-column", "what", "--image-column", "jpeg")
    explained(run, tmp_path / "photos.parquet", *columns, "--model", model_file, "-o", out)
    assert rows_of(out)["key"].to_pylist() == names
    assert rows_of(out)["error"].null_count == len(names)


def test_a_picture_that_fails_has_a_row_and_the_others_theirs(run, photos, model_file, out):
    (photos / "a" / "1.png").write_bytes(b"no picture")
    model = ("--model", model_file, "--preprocess", "0..1")
    result = run("dataset", photos, *model, "--overlays", "--json", "-o", out)
    assert (result.exit_code, result.stderr) == (0, "")
    summary = json.loads(result.stdout)
    assert (summary["docs"], summary["explained_now"], summary["failed"]) == (7, 7, 1)
    assert summary["output"] == str(out)
    failed = [row["key"] for row in rows_of(out).to_pylist() if row["error"]]
    assert failed == ["a/1.png"]
    assert len(list(out.glob("overlays/*/*.png"))) == 6
    again = json.loads(explained(run, photos, *model, "--overlays", "--json", "-o", out))
    assert (again["docs"], again["explained_now"]) == (7, 0)
    shutil.copy(photos / "a" / "0.png", photos / "a" / "1.png")
    assert "inputs" in run("dataset", photos, *model, "--overlays", "-o", out).stderr


def test_where_nothing_could_be_explained_the_command_fails(run, tmp_path, model_file, out):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    model = ("--model", model_file, "--preprocess", "0..1")
    result = run("dataset", tmp_path / "bad.png", *model, "-o", out)
    assert result.exit_code == 1
    assert "1 failed" in result.stdout


def test_too_many_errors_stop_the_run_and_say_how_it_goes_on(run, photos, model_file, out):
    (photos / "b" / "9.png").write_bytes(b"no picture")
    model = ("--model", model_file, "--shard-size", 3, "--preprocess", "0..1")
    result = run("dataset", photos, *model, "--max-errors", 0, "-o", out)
    assert (result.exit_code, result.stdout) == (1, "")
    error, note = result.stderr.splitlines()
    assert error.startswith("explainkit: error: 1 documents failed, and --max-errors is 0")
    assert note.startswith("explainkit: ")
    assert note.endswith(
        f"explained and kept in {out}; the same command with a greater --max-errors goes on from "
        "there"
    )
    assert "7 documents" in explained(run, photos, *model, "-o", out)


def test_scaling_that_nobody_said_is_told(run, photos, model_file, out):
    result = run("dataset", photos, "--model", model_file, "-o", out)
    [line] = result.stderr.splitlines()
    assert line.startswith("explainkit: warning: pictures are scaled to 0..1, for the model does")
    assert line.endswith("; --preprocess says otherwise")


# Options that are refused before the model is looked for.
WRONG = {
    ("--method", "gradcan"): "did you mean 'gradcam'?",
    ("--set", "steps"): "--set is 'steps'; give NAME=VALUE, such as steps=20",
    ("--top", "2", "--target", "1"): "--target says what to explain, and so does --top",
    ("--size", "0x3"): "--size is '0x3'; give HEIGHTxWIDTH",
    ("--preprocess", "1..0"): "--preprocess is '1..0'; a range goes from the lower to the higher",
    ("--batch-size", "0"): "--batch-size is 0; give a whole number, 1 or more",
    ("--shard-size", "-1"): "--shard-size is -1; give a whole number, 1 or more",
    ("--threads", "0"): "--threads is 0; give a whole number, 1 or more",
    ("--max-errors", "-1"): "--max-errors is -1; give a whole number, 0 or more",
    ("--engine", "rya"): "--engine is 'rya'; give 'local' or 'ray'; did you mean 'ray'?",
    ("--workers", "2"): "--workers is 2, which is for --engine ray",
    ("--gpus", "0.5"): "--gpus is 0.5, which is for --engine ray",
    ("--workers", "3:2"): "--workers is '3:2'; give a number, or MIN:MAX, such as 1:8",
    ("--workers", "many"): "--workers is 'many'; give a number, or MIN:MAX, such as 1:8",
    ("--key-column", "id"): "--key-column is 'id', but files of pictures have no columns",
    ("--max-errors", "few"): "Invalid value for '--max-errors'",
}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_wrong_options(fails, photos, out, options):
    line = fails(2, "dataset", photos, "--model", "none.keras", *options, "-o", out)
    assert WRONG[options] in line
    assert not out.exists()


def test_sources_that_are_none(fails, photos, model_file, out, tmp_path):
    model = ("--model", model_file, "-o", out)
    missing = tmp_path / "missing"
    assert fails(1, "dataset", missing, *model) == f"{missing}: no such file or directory"
    assert fails(2, "dataset", photos / "a", photos / "b", *model) == (
        f"{photos / 'a'} is a folder, but SOURCE has 2; give one folder, or a glob in quotes, "
        "such as 'photos/**/*.jpg'"
    )
    line = fails(2, "dataset", "0.parquet", "1.parquet", *model)
    assert line.startswith("0.parquet is a table, but SOURCE has 2; give one table, or a glob in")


def test_models_and_targets_that_are_none(fails, photos, model_file, labels_file, out):
    explain = ("dataset", photos, "-o", out, "--preprocess", "0..1", "--model")
    assert fails(1, *explain, "none.keras") == (
        "none.keras: there is no such file to read a model from"
    )
    assert "did you mean 'mobilenetv2'?" in fails(2, *explain, "mobilenet_v2")
    labels = ("--labels", labels_file)
    assert "did you mean 'dog'?" in fails(2, *explain, model_file, *labels, "--target", "dogs")
    assert "target 3 is out of range" in fails(2, *explain, model_file, "--target", 3)
    assert "no output 'class'" in fails(2, *explain, model_file, "--target", "class:0")
    assert "no layer 'convv'" in fails(2, *explain, model_file, "--layer", "convv")


def test_an_output_of_another_run_is_not_overwritten(run, fails, photos, model_file, out):
    model = ("--model", model_file, "--preprocess", "0..1", "-o", out)
    explained(run, photos, *model)
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    line = fails(2, "dataset", photos, *model, "--target", 1)
    assert line.startswith(f"{out} holds another run, which is not overwritten: targets is ")
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before


def test_without_ray(fails, photos, model_file, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    line = fails(1, "dataset", photos, "--model", model_file, "--engine", "ray", "-o", out)
    assert line == "--engine ray needs Ray, which is not installed: pip install 'explainkit[ray]'"


def test_without_what_the_extra_brings(fails, photos, model_file, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    assert fails(1, "dataset", photos, "--model", model_file, "-o", out) == (
        "this command needs filelock, which is not installed: pip install 'explainkit[datasets]'"
    )


def start(*arguments, **how):
    return subprocess.Popen(
        [sys.executable, "-m", "explainkit", "dataset", *map(str, arguments)],
        text=True,
        **how,
    )


def test_without_pyarrow(photos, model_file, out):
    words = ["dataset", str(photos), "--model", str(model_file), "-o", str(out)]
    code = (
        f"import sys; sys.modules['pyarrow'] = None; sys.argv[1:] = {words}\n"
        "from explainkit.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("explainkit: error: ")
    assert result.stderr.endswith("not installed: pip install 'explainkit[datasets]'\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_run_that_is_stopped_says_so_and_goes_on(run, make_photo, model_file, tmp_path, out, how):
    photo = make_photo(tmp_path / "photo.png")
    (tmp_path / "photos").mkdir()
    for number in range(300):
        os.link(photo, tmp_path / "photos" / f"{number:03}.png")
    command = (
        *(tmp_path / "photos", "--model", model_file, "--preprocess", "0..1"),
        *("--batch-size", 1, "--shard-size", 2),
    )
    process = start(*command, "-o", out, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and not list(out.glob("shards/0*.parquet")):
        time.sleep(0.005)
    process.send_signal(how)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, ""), stderr
    kept = {file: file.stat().st_mtime_ns for file in out.glob("shards/0*.parquet")}
    assert 0 < len(kept) < 150
    assert stderr.splitlines()[-1] == (
        f"explainkit: stopped: {2 * len(kept)} of 300 documents are explained and kept in {out}; "
        "the same command goes on from there"
    )
    assert "Traceback" not in stderr
    assert not list(out.rglob(".*"))
    summary = json.loads(explained(run, *command, "--json", "-o", out))
    assert (summary["docs"], summary["explained_now"]) == (300, 300 - 2 * len(kept))
    assert kept.items() <= {f: f.stat().st_mtime_ns for f in out.glob("shards/*")}.items()
    explained(run, *command, "-o", tmp_path / "whole")
    assert rows_of(out).equals(rows_of(tmp_path / "whole"))


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit(15)])
def test_a_run_that_is_stopped_before_it_began_says_so(run, monkeypatch, how):
    from explainkit import datasets

    def explain_dataset(*arguments, **options):
        raise how

    monkeypatch.setattr(datasets, "explain_dataset", explain_dataset)
    before = signal.getsignal(signal.SIGTERM)
    result = run("dataset", "photos", "--model", "my.keras", "-o", "out")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "explainkit: stopped: the same command goes on where it was\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_terminal_gets_a_bar_and_stdout_the_summary(photos, model_file, out):
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = (photos, "--model", model_file, "--json", "-o", out)
    terminal = os.environ | {"TERM": "xterm", "COLUMNS": "120", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = start(*command, stdout=subprocess.PIPE, stderr=follower, env=terminal)
    os.close(follower)
    stdout, _ = process.communicate(timeout=60)
    shown = os.read(leader, 1 << 16).decode(errors="replace")
    os.close(leader)
    assert process.returncode == 0, shown
    assert json.loads(stdout)["docs"] == 6
    assert "loading the model" in shown
    assert "6 of 6" in shown


@pytest.mark.slow
def test_ray_gives_the_same_rows(run, photos, model_file, out, tmp_path):
    pytest.importorskip("ray")
    command = (photos, "--model", model_file, "--preprocess", "0..1", "--shard-size", 2)
    process = start(*command, "--engine", "ray", "--json", "-o", out, stdout=subprocess.PIPE)
    stdout, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert json.loads(stdout)["explained_now"] == 6
    explained(run, *command, "-o", tmp_path / "here")
    assert rows_of(out).equals(rows_of(tmp_path / "here"))
