"""Settings of a data directory: ``settings.json`` in it, every one with a default.

They change what the index means, so they belong to the data, not to a command: ``ingest``,
``build`` and ``serve`` all read the same file.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]


class SettingsError(ValueError):
    """``settings.json`` cannot be used; the message says which setting and what would be right."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every setting, with its default."""

    drop_parameters: tuple[str, ...] = ()
    """Query parameters to leave out of canonical URLs (``utm_*`` drops all that begin so)."""

    robot_name: str = "inlinkbot"
    """The bot whose robots directives count, beside those addressed to every bot."""

    failed_visits: Count = 2
    """How many failed visits in a row lose a page's links (``crawl_error``)."""

    redirect_hops: Count = 10
    """How many redirects in a row make a chain."""

    keep_generations: Count = 3
    """How many generations stay on disk, the current one included."""

    partition_links: Annotated[int, Meta(ge=1000)] = 5_000_000
    """Live and lost links that one partition of the segments should hold."""

    memory_limit: str = "4GB"
    """Memory that the fold may use before it spills to disk (DuckDB's ``memory_limit``)."""

    huge_target: Count | None = None
    """Backlinks from which a target is answered with 244; null: never."""

    costs: dict[str, Annotated[int, Meta(ge=0)]] = {}
    """Units that a command costs, where they are not the usual ones: by the command's name."""

    keep_exports_hours: Count = 72
    """How long the file of an export can be downloaded."""

    accounts_url: str | None = None
    """SQLAlchemy URL of the accounts database; null: ``accounts.sqlite`` in the data directory."""


def load(directory: Path) -> Settings:
    """Read ``settings.json`` of the data directory *directory*; the defaults where there is none.

    Raises:
        SettingsError: not JSON, an unknown setting, or a value out of range.
    """
    path = directory / "settings.json"
    if not path.exists():
        return Settings()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except msgspec.DecodeError as error:
        known = ", ".join(Settings.__struct_fields__)
        raise SettingsError(f"{path}: {error}. The settings are: {known}.") from error
