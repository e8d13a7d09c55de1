"""Crawls the demo web as it changes, with the real commands: from seeds, then by plans.

The months between the crawls pass at once: plans are made for a later day.
"""

import datetime as dt
import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from demo.commands import run
from demo.model import STAGES, Web
from demo.server import serving
from demo.web import Served, hosts_of, seeds_of

DELAY = 0.02
"""Seconds between two requests to a host; nobody else is there to be disturbed."""

WHAT_PASSES = (
    "",
    "A month passes, pages change, and we no longer want a casino. What to look at again?",
    "Some pages did not answer. They are tried again a day later:",
    "Another month passes:",
)
"""What is said before each stage."""


def crawl_all(web: Web, directory: Path, data: Path) -> None:
    """Crawl the *web* in each of its stages, into *data*; what else is made goes to *directory*."""
    served, authority = Served(web), directory / "authority.pem"
    seeds = directory / "seeds.txt"
    seeds.write_text("".join(f"{seed}\n" for seed in seeds_of(web)))
    with serving(served, hosts_of(web), authority) as proxy:
        for stage, begin in enumerate(STAGES, start=1):
            served.stage = stage
            _write_settings(data, proxy, web.excluded("blocked", stage))
            what = ["--seeds", str(seeds), "--scope", "web"]
            if stage > 1:
                click.echo(f"# {WHAT_PASSES[stage - 1]}")
                plan = str(directory / f"plan-{stage}.jsonl")
                later = dt.datetime.now(dt.UTC) + (begin - STAGES[0])
                _inlink(data, "plan", "--at", f"{later:%Y-%m-%dT%H:%M:%S}", "--out", plan)
                what = ["--plan", plan, "--depth", "0"]
            out = directory / f"crawl-{stage}"
            run(
                *("crawl", "--data", str(data), *what, "--out", str(out)),
                SSL_CERT_FILE=str(authority),
            )
            _inlink(data, "ingest", *map(str, sorted(out.glob("*.warc.gz"))))
            _inlink(data, "build")


def _inlink(data: Path, command: str, *arguments: str) -> None:
    run(command, "--data", str(data), *arguments)


def _write_settings(data: Path, proxy: str, blocked: list[str]) -> None:
    data.mkdir(exist_ok=True)
    settings = {
        "crawl_proxy": proxy,
        "crawl_delay_seconds": DELAY,
        "user_agent_contact": "https://bot.example/",
        "blocked_hosts": [urlsplit(url).hostname for url in blocked],
    }
    (data / "settings.json").write_text(json.dumps(settings, indent=2))
