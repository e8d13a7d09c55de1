"""``python -m inlink``: the command line."""

from inlink.cli import main

main()
