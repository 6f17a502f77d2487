"""What only a process of its own can show: what is imported, and what is printed."""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest


def shell(*arguments, code=None, **environment):
    start = ["-c", code] if code else ["-m", "explainkit"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environ | environment,
    )


def test_the_script_is_the_module():
    [script] = entry_points(group="console_scripts", name="explainkit")
    assert script.value == "explainkit.cli:main"
    result = shell("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == "0.1.0.dev0"


def test_quick_commands_load_no_framework():
    code = (
        "import sys, explainkit.cli.app; from typer.testing import CliRunner\n"
        "for words in (['--help'], ['methods', '--json'], ['explain', '--help'],\n"
        "              ['dataset', '--help']):\n"
        "    assert CliRunner().invoke(explainkit.cli.app.app, words).exit_code == 0\n"
        "print(sorted({'keras', 'tensorflow', 'matplotlib', 'torch', 'jax', 'pyarrow', 'ray'}\n"
        "    & set(sys.modules)))"
    )
    result = shell(code=code)
    assert result.stdout == "[]\n", result.stderr


def test_stdout_is_nothing_but_json(photo, model_file):
    result = shell("explain", photo, "--model", model_file, "--json", "--preprocess", "0..1")
    assert result.returncode == 0
    assert result.stderr == ""
    assert json.loads(result.stdout)[0]["estimator"] == "small"


def test_tables_are_not_wrapped_in_pipes(make_photo, model_file, tmp_path):
    (tmp_path / ("long" * 30)).mkdir()
    photo = make_photo(tmp_path / ("long" * 30) / "photo.png")
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    explain = ("explain", photo, "--model", model_file, "-o", tmp_path / "o.png")
    result = subprocess.run(
        [sys.executable, "-m", "explainkit", *explain],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert str(photo) in result.stdout


def test_a_terminal_gets_a_progress_bar(make_photo, model_file, tmp_path):
    pty = pytest.importorskip("pty")
    photos = [make_photo(tmp_path / f"{n}.png") for n in range(3)]
    leader, follower = pty.openpty()
    explain = ("explain", *photos, "--model", model_file, "--json")
    result = subprocess.run(
        [sys.executable, "-m", "explainkit", *explain],
        stdout=subprocess.PIPE,
        stderr=follower,
        check=True,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(follower)
    assert len(json.loads(result.stdout)) == 3
    shown = os.read(leader, 1 << 16).decode(errors="replace")
    os.close(leader)
    assert "loading the model" in shown
    assert "explaining" in shown


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_tools(missing):
    code = f"import sys; sys.modules['{missing}'] = None; from explainkit.cli import main; main()"
    result = shell(code=code)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"explainkit: error: the command line needs {missing}, which is not installed: "
        "pip install 'explainkit[cli]'\n"
    )


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
@pytest.mark.parametrize("command", ["demo", "layers"])
def test_without_a_framework(missing, command, model_file, tmp_path):
    arguments = ["-o", str(tmp_path / "o.png")] if command == "demo" else [str(model_file)]
    code = (
        f"import sys; sys.modules['{missing}'] = None; sys.argv[1:] = {[command, *arguments]}\n"
        "from explainkit.cli import main; main()"
    )
    result = shell(code=code, KERAS_BACKEND="tensorflow")
    assert result.returncode == 1
    assert result.stderr == (
        f"explainkit: error: this command needs {missing}, which is not installed: "
        "pip install 'explainkit[tensorflow]'\n"
    )


def test_ctrl_c_while_the_tools_are_imported():
    code = (
        "import sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "from explainkit.cli import main; main()"
    )
    result = shell(code=code)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")
