"""``python -m explainkit`` is the command line."""

from explainkit.cli import main

if __name__ == "__main__":
    main()
