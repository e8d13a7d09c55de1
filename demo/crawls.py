"""Crawl the demo web as it changes, with the real commands: from seeds, then by plans.

The months between the crawls take no time: plans are made for a later day.
"""

import datetime as dt
import json
from pathlib import Path
from urllib.parse import urlsplit

import click
import trustme

from demo.commands import run
from demo.model import STAGES, Web
from demo.server import Server, ca_file, serving
from demo.web import Served, seeds_of

DELAY = 0.02
"""Seconds between two requests to a host; nobody else uses these hosts."""

RETRIES = 3
"""The stage that only retries what failed; its crawl is ingested with the next one."""

WHAT_PASSES = (
    "A month passes, pages change, and we no longer want a casino. Which pages to visit again?",
    "Some pages did not answer. They are retried some days later:",
    "Another month passes:",
)
"""The line printed before each stage after the first."""


def crawl_all(web: Web, directory: Path, data: Path) -> None:
    """Crawl the *web* in each of its stages, into *data*; all other files go to *directory*."""
    served, authority = Served(web), trustme.CA()
    trusted = str(ca_file(authority, directory))
    with serving(Server(served, authority)) as proxy:
        for stage in range(1, len(STAGES) + 1):
            served.stage = stage
            _write_settings(data, proxy.address, web.excluded("blocked", stage))
            what = _plan(stage, data, directory) if stage > 1 else _seeds(web, directory)
            out = directory / f"crawl-{stage}"
            crawl = ["crawl", "--data", str(data), *what, "--out", str(out)]
            run(*crawl, SSL_CERT_FILE=trusted)
            if stage != RETRIES:
                run("ingest", "--data", str(data), f"{directory}/crawl-*/*.warc.gz")
                run("build", "--data", str(data))


def _seeds(web: Web, directory: Path) -> list[str]:
    seeds = directory / "seeds.txt"
    seeds.write_text("".join(f"{seed}\n" for seed in seeds_of(web)))
    return ["--seeds", str(seeds), "--scope", "web"]


def _plan(stage: int, data: Path, directory: Path) -> list[str]:
    click.echo(f"# {WHAT_PASSES[stage - 2]}")
    plan = directory / f"plan-{stage}.jsonl"
    passed = STAGES[stage - 1] - STAGES[stage - 2]
    at = f"{dt.datetime.now(dt.UTC) + passed:%Y-%m-%dT%H:%M:%S}"
    run("plan", "--data", str(data), "--at", at, "--out", str(plan))
    return ["--plan", str(plan)]


def _write_settings(data: Path, proxy: str, blocked: list[str]) -> None:
    data.mkdir(exist_ok=True)
    settings = {
        "crawl_proxy": proxy,
        "crawl_delay_seconds": DELAY,
        "user_agent_contact": "https://bot.example/",
        "blocked_hosts": [urlsplit(url).hostname for url in blocked],
    }
    (data / "settings.json").write_text(json.dumps(settings, indent=2))
