"""The tour (``make demo``): serve, crawl and index a web, then query the API with ``curl``.

``python -m demo.run [--once] [--directory demo-data]`` exits with a code other than 0 if a command
or an answer fails, or if the index has other backlinks than the demo web.
"""

import contextlib
import datetime as dt
import gzip
import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from demo.check import Ask, differences, live_links, lost_links
from demo.commands import INLINK, run
from demo.crawls import crawl_all
from demo.model import Web
from demo.web import hosts_of, make_web

HOST = "127.0.0.1"
USUAL_PORT = 8080
PATIENCE = 60.0
"""Seconds that the server has to answer."""

MARK = ".made-by-the-demo"
TARGET = "knots.example"
LOSER = "lenses.example"
ABOUT = (
    f"# The questions are about {TARGET} and {LOSER}: other sites of the web link to both.\n"
    "# Links inside one site are not backlinks, so they are not in the answers.\n"
)
TOUR = (
    ("How many links lead to it, from how many sites?", "get-metrics", {"target": TARGET}),
    ("How strong is its home page?", "get-inlink-rank", {"target": f"https://{TARGET}/"}),
    (
        "Which link is the strongest?",
        "get-backlinks",
        {"target": TARGET, "order_by": "inlink_rank", "limit": "1"},
    ),
    ("Which sites do they come from?", "get-refdomains", {"target": TARGET, "limit": "2"}),
    ("What are the anchor texts?", "get-anchors", {"target": TARGET, "limit": "2"}),
    ("All links, page by page?", "get-raw-backlinks", {"target": TARGET, "limit": "2"}),
    (
        "Which links were lost, when and why?",
        "get-new-lost-backlinks",
        {"target": LOSER, "new_lost_type": "lost"},
    ),
)


@click.command()
@click.option("--once", is_flag=True, help="Stop after the tour instead of serving until Ctrl-C.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-data"),
    show_default=True,
    help="Directory for all files. Files of an earlier demo in it are deleted.",
)
def main(once: bool, directory: Path) -> None:
    """Make a small web, crawl and index it, serve the index, and send it some queries."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    _start_afresh(directory)
    web = make_web()
    click.echo(f"Serving a web of {len(hosts_of(web))} hosts on loopback, behind a proxy.\n")
    data = directory / "index"
    crawl_all(web, directory, data)
    run("status", "--data", str(data))
    key = run("keys", "create", "--data", str(data), "--name", "demo", keep=True)
    with _serving(data, directory / "serve.log") as (base, server):
        _tour(base, key, web)
        if not once:
            click.echo(f"Serving on {base} until Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()


def _start_afresh(directory: Path) -> None:
    """Delete the files of an earlier demo, and nothing else."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARK).exists():
            raise click.ClickException(
                f"{directory} was not made by the demo, so it is not deleted."
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).touch()


@contextlib.contextmanager
def _serving(data: Path, log: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run ``inlink serve`` in the block; yields the base URL of the API, and the process."""
    port = _free_port()
    arguments = ["serve", "--data", str(data), "--host", HOST, "--port", str(port)]
    click.echo(f"$ inlink {shlex.join(arguments)}\n")
    with log.open("wb") as output:
        server = subprocess.Popen([INLINK, *arguments], stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(server, port, log)
            yield f"http://{HOST}:{port}/backlinks/v1.0", server
        finally:
            server.terminate()
            server.wait(timeout=PATIENCE)


def _free_port() -> int:
    """8080, or any free port if that is taken."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise click.ClickException("there is no free port")


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until the server accepts connections."""
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)
    raise click.ClickException(f"inlink serve did not start:\n{log.read_text()}")


def _tour(base: str, key: str, web: Web) -> None:
    """Send each command of the tour, and compare the whole index with the demo web."""

    def url_of(command: str, parameters: dict[str, str]) -> str:
        query = urlencode({"apikey": key, **_today(command), **parameters}, safe=":/")
        return f"{base}/{command}?{query}"

    click.echo(ABOUT)
    for question, command, parameters in TOUR:
        url = url_of(command, parameters)
        click.echo(f"# {question}\ncurl '{url}'")
        click.echo(json.dumps(_shortened(_get(url)), indent=2, ensure_ascii=False) + "\n")
    _check(lambda command, parameters: _get(url_of(command, parameters)), web)
    _export(base, key)


def _today(command: str) -> dict[str, str]:
    """The parameters for the days of the crawls, which ran just now or just before midnight."""
    if command != "get-new-lost-backlinks":
        return {}
    today = dt.datetime.now(dt.UTC).date()
    return {"date_from": str(today - dt.timedelta(days=1)), "date_to": str(today)}


def _export(base: str, key: str) -> None:
    """Export all backlinks of `TARGET` to a file, and show its beginning."""
    query = urlencode({"apikey": key, "target": TARGET})
    url = f"{base}/download-all-backlinks?{query}"
    click.echo(f"# All links in one file?\ncurl '{url}'")
    task = _get(url)
    click.echo(json.dumps(task, indent=2))
    query = urlencode({"apikey": key, "task_id": task["task_id"]})
    url = f"{base}/download-all-backlinks-status?{query}"
    deadline = time.monotonic() + PATIENCE
    while "download_file" not in (task := _get(url)):
        if time.monotonic() > deadline:
            raise click.ClickException(f"the export is not complete: {task}")
        time.sleep(0.2)
    click.echo(f"curl '{url}'\n{json.dumps(task, indent=2)}")
    with urllib.request.urlopen(task["download_file"], timeout=PATIENCE) as response:
        lines = gzip.decompress(response.read()).decode().splitlines()
    click.echo(f"curl -s '{task['download_file']}' | gunzip | head -n 2")
    click.echo("\n".join(lines[:2]) + "\n")


def _get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            answer: dict[str, Any] = json.load(response)
    except OSError as error:
        raise click.ClickException(f"{url}: {error}") from error
    if "error" in answer:
        raise click.ClickException(f"{url}: {answer['error']}")
    return answer


def _shortened(value: Any) -> Any:
    """*value* with long strings (the cursor) cut, so that it is easier to read."""
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return f"{value[:57]}..." if isinstance(value, str) and len(value) > 100 else value


def _check(ask: Ask, web: Web) -> None:
    """Compare the answers about every site with what is true of the demo web."""
    wrong = differences(ask, web)
    if wrong:
        raise click.ClickException("\n  ".join(["the index is wrong:", *wrong]))
    live, lost = live_links(web), Counter(reason for *_, reason in lost_links(web).elements())
    reasons = ", ".join(f"{count} {reason}" for reason, count in lost.most_common())
    click.echo(
        f"# The demo web has {live.total()} live links between its sites, and"
        f" {lost.total()} lost ones ({reasons}). All are in the index, and nothing else.\n"
    )


if __name__ == "__main__":
    main()
