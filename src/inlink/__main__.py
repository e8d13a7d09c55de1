"""The command ``inlink``, also as ``python -m inlink``; it needs the extra ``index``."""

import sys


def main() -> None:
    """Run the command line, or say what to install where only the client is installed."""
    try:
        from inlink.cli import main as command
    except ModuleNotFoundError as error:
        sys.exit(f"{error}. The command inlink needs the extra index: pip install 'inlink[index]'")
    command()


if __name__ == "__main__":
    main()
