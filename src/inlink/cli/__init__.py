"""The command ``inlink``: one module for each verb, imported when the verb is called.

Importing the libraries of all verbs would take longer than `inlink serve` may take to start.
"""

import importlib
import logging

import click

from inlink import __version__
from inlink.store.log import LINE

COMMANDS = {
    "build": "build",
    "crawl": "crawl_command",
    "ingest": "ingest_command",
    "keys": "keys",
    "plan": "plan",
    "run": "run",
    "serve": "serve",
    "status": "status",
    "verify": "verify",
}
"""Each verb, which is also the name of its module, and the name of its command in that module."""


class Verbs(click.Group):
    """A group whose commands are in modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = getattr(module, COMMANDS[cmd_name])
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Who links to whom: an open backlink index."""
    logging.basicConfig(level=logging.INFO, format=LINE)
