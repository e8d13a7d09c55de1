"""``inlink verify``: check whether a link is there now."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec

from inlink.cli.options import data_option
from inlink.contract.proof import Check, Occurrence
from inlink.crawl.errors import CrawlError
from inlink.evidence.check import CheckError, check
from inlink.store.configuration import SettingsError, load_settings
from inlink.store.layout import Layout

EXIT_CODES = {"there": 0, "not_there": 1, "not_checked": 2}


@click.command()
@data_option
@click.argument("url_from")
@click.argument("url_to")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(layout: Layout, url_from: str, url_to: str, as_json: bool) -> None:
    """Fetch the page URL_FROM now and report whether it links to URL_TO.

    The exit code is 0 if it does, 1 if it does not, and 2 if the page could not be checked.
    """
    try:
        with TemporaryDirectory(prefix="inlink-verify-") as folder:
            found = check(url_from, url_to, load_settings(layout.root), Path(folder))
    except (CheckError, CrawlError, SettingsError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_CODES["not_checked"])
    click.echo(msgspec.json.encode(found) if as_json else _written(found))
    sys.exit(EXIT_CODES[found.result])


def _written(found: Check) -> str:
    lines = [
        f"{found.url_from} -> {found.url_to}: {found.result.replace('_', ' ')}",
        f"  {found.checked_at}, status {found.status or '-'}, {_outcome(found)}",
    ]
    return "\n".join([*lines, *(f"  {_element(each)}" for each in found.occurrences)])


def _outcome(found: Check) -> str:
    """The outcome of the visit, and its reason."""
    reasons = {
        "redirect": found.redirect_url,
        "not_canonical": found.canonical_url,
        "noindex": found.robots,
        "failed": found.failure,
        "page_dropped": found.failure,
    }
    reason = reasons.get(found.outcome)
    return f"{found.outcome} ({reason})" if reason else found.outcome


def _element(occurrence: Occurrence) -> str:
    place = f" in {occurrence.place}" if occurrence.place else ""
    rel = f" rel={occurrence.rel!r}" if occurrence.rel else ""
    follow = " nofollow" if occurrence.nofollow else ""
    return f"<{occurrence.element}>{place}: {occurrence.anchor!r}{rel}{follow}"
