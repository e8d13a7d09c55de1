"""The settings of a data directory, from its ``settings.json``; every one has a default.

They change what the index means, so they belong to the data, not to a command: ``crawl``,
``ingest``, ``build`` and ``serve`` all read the same file.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]


class SettingsError(ValueError):
    """``settings.json`` cannot be used; the message names the setting and what is valid."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every setting, with its default."""

    drop_parameters: tuple[str, ...] = ()
    """Query parameters to leave out of canonical URLs (``utm_*`` drops all with that prefix)."""

    robot_name: str = "inlinkbot"
    """The bot whose robots directives count, besides those addressed to every bot."""

    failed_visits: Count = 2
    """How many failed visits in a row lose a page's links (``crawl_error``)."""

    stale_days: Count | None = None
    """Days without a visit after which a page's links are lost (``page_dropped``); null: never."""

    redirect_hops: Count = 10
    """How many redirects in a row a chain may have."""

    keep_generations: Count = 3
    """How many generations stay on disk, the current one included."""

    partition_links: Annotated[int, Meta(ge=1000)] = 5_000_000
    """Live and lost links that one partition of the segments should hold."""

    memory_limit: str = "4GB"
    """Memory that the fold may use before it spills to disk (DuckDB's ``memory_limit``)."""

    huge_target: Count | None = None
    """Number of backlinks from which a target is answered with status 244; null: never."""

    costs: dict[str, Annotated[int, Meta(ge=0)]] = {}
    """Units that a command costs, by its name, if they differ from the usual ones."""

    keep_exports_hours: Count = 72
    """How long the file of an export can be downloaded."""

    accounts_url: str | None = None
    """SQLAlchemy URL of the accounts database; null: ``accounts.sqlite`` in the data directory."""

    user_agent_contact: str | None = None
    """URL or e-mail address in the User-Agent; without one, a crawl does not leave loopback."""

    crawl_delay_seconds: Annotated[float, Meta(ge=0)] = 2.0
    """Shortest time between two requests to a host."""

    host_pages: Count = 5000
    """Maximum number of pages that one crawl fetches from a host."""

    host_megabytes: Count = 500
    """Maximum amount that one crawl fetches from a host."""

    max_body_megabytes: Count = 10
    """Size at which the body of an answer is cut off."""

    fetch_timeout_seconds: Count = 30
    """How long one fetch may take, from the look-up of the name to the end of the body."""

    blocked_hosts: tuple[str, ...] = ()
    """Hosts that are never fetched, each with all its subdomains."""

    allow_private_addresses: bool = False
    """Whether a crawl may connect to addresses that are not public."""

    crawl_proxy: str | None = None
    """Forward proxy for all fetches (``http://host:port``); null: none."""


def load_settings(directory: Path) -> Settings:
    """Read ``settings.json`` of the data directory *directory*; if there is none, the defaults.

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
