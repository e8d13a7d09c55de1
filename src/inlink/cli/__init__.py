"""The command ``inlink``: one module for each verb."""

import logging

import click

from inlink import __version__
from inlink.cli.build import build
from inlink.cli.crawl import crawl_command
from inlink.cli.ingest import ingest_command
from inlink.cli.keys import keys
from inlink.cli.plan import plan
from inlink.cli.run import run
from inlink.cli.serve import serve
from inlink.cli.status import status
from inlink.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Who links to whom: an open backlink index."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


main.add_command(build)
main.add_command(crawl_command)
main.add_command(ingest_command)
main.add_command(keys)
main.add_command(plan)
main.add_command(run)
main.add_command(serve)
main.add_command(status)
main.add_command(verify)
