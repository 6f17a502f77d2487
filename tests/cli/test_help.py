"""Help that a newcomer can use: commands to copy, and no word left without a meaning."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from explainkit.cli.app import app

COMMANDS = typer.main.get_command(app).commands
DOCS = Path(__file__).parents[2] / "docs"


def options_of(command):
    return [one for one in COMMANDS[command].params if one.param_type_name == "option"]


def spelled(command):
    return {name for one in options_of(command) for name in (*one.opts, *one.secondary_opts)}


def helped(*words):
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "90", "TERM": "dumb"})
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_everything_has_help(command):
    assert COMMANDS[command].help
    assert all(one.help and one.help.endswith(".") for one in options_of(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_an_option_takes_is_named_in_words(command):
    # Otherwise types of Python are shown, which mean nothing in a shell; flags take nothing.
    assert all(one.metavar or one.is_flag for one in options_of(command))


@pytest.mark.parametrize(("command", "count"), [("explain", 5), ("dataset", 4)])
def test_the_help_of_a_command_has_commands_to_copy(command, count):
    lines = [line.strip() for line in (COMMANDS[command].epilog or "").split("\n\n")]
    examples = [line.split() for line in lines if line.startswith("explainkit ")]
    assert len(examples) == count
    for words in examples:
        assert words[:2] == ["explainkit", command]
        assert "--model" in words
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= spelled(command)
    shown = " ".join(helped(command).split())
    assert all(" ".join(words) in shown for words in examples)


@pytest.mark.parametrize("command", ["explain", "dataset"])
def test_the_page_of_the_command_line_has_every_option(command):
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    missing = [
        one.name
        for one in options_of(command)
        if not any(f"`{name}" in text for name in (*one.opts, *one.secondary_opts))
    ]
    assert missing == []
