"""The command line: explanations for files, from a shell."""

import sys

#: What the command line is made of, and the package does without.
_TOOLS = ("typer", "rich")


def main() -> None:
    """Run the command that the arguments of the process ask for.

    Raises
    ------
    SystemExit
        Always. The code is 0 if all went well, 1 if something failed, 2 if the
        arguments were wrong, and 130 after Ctrl-C.
    """
    try:
        from explainkit.cli.app import app
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in _TOOLS:
            raise
        sys.exit(
            f"explainkit: error: the command line needs {missing}, which is not installed: "
            "pip install 'explainkit[cli]'"
        )
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="explainkit")
