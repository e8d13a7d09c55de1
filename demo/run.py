"""The tour (``make demo``): crawl files, then the real commands, then the API by ``curl``.

``python -m demo.run [--once] [--directory demo-data]`` ends with a code that is not 0 when a
command or an answer fails, or when the index counts other backlinks than the demo web has.
"""

import contextlib
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click

from demo.model import Backlink, Web
from demo.web import make_web, write_crawls

INLINK = Path(sys.executable).with_name("inlink")
HOST = "127.0.0.1"
USUAL_PORT = 8080
PATIENCE = 60.0
"""Seconds that the server may take to answer."""

MARK = ".made-by-the-demo"
TARGET = "knots.example"
LOSER = "lenses.example"
TOUR = (
    ("Who links to it, in numbers?", "get-metrics", {"target": TARGET}),
    ("What do its pages weigh?", "get-inlink-rank", {"target": f"https://{TARGET}/"}),
    ("Which are the newest links?", "get-backlinks", {"target": TARGET, "limit": "2"}),
    ("Which sites do they come from?", "get-refdomains", {"target": TARGET, "limit": "2"}),
    ("What do the links say?", "get-anchors", {"target": TARGET, "limit": "2"}),
    ("All of them, page by page?", "get-raw-backlinks", {"target": TARGET, "limit": "2"}),
    (
        "Which links went, when and why?",
        "get-new-lost-backlinks",
        {
            "target": LOSER,
            "new_lost_type": "lost",
            "date_from": "2026-09-01",
            "date_to": "2026-11-30",
        },
    ),
)


@click.command()
@click.option("--once", is_flag=True, help="End after the tour instead of going on serving.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-data"),
    show_default=True,
    help="Where to put everything; what an earlier demo left there is deleted.",
)
def main(once: bool, directory: Path) -> None:
    """Make a small web, index it, serve it, and ask it some questions."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    _start_afresh(directory)
    web = make_web()
    crawls = write_crawls(web, directory / "crawls")
    visits = sum(len(crawl) for crawl in web.visits)
    click.echo(f"Made a web: {visits} visits in {len(crawls)} crawl files.\n")
    data = directory / "index"
    _run("ingest", "--data", str(data), *map(str, crawls))
    _run("build", "--data", str(data))
    _run("status", "--data", str(data))
    key = _run("keys", "create", "--data", str(data), "--name", "demo", keep=True)
    with _serving(data, directory / "serve.log") as (base, server):
        _tour(base, key, web)
        if not once:
            click.echo(f"Serving on {base} until Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()


def _start_afresh(directory: Path) -> None:
    """Delete what an earlier demo made, and nothing else."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARK).exists():
            raise click.ClickException(f"{directory} was not made by the demo, so it stays.")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).touch()


def _run(*arguments: str, keep: bool = False) -> str:
    """Run an ``inlink`` command in sight of the user; with *keep*, what it printed on stdout."""
    click.echo(f"$ inlink {shlex.join(arguments)}")
    done = subprocess.run(
        [INLINK, *arguments], stdout=subprocess.PIPE if keep else None, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(f"inlink {arguments[0]} ended with code {done.returncode}.")
    if keep:
        click.echo(done.stdout.strip())
    click.echo()
    return (done.stdout or "").strip()


@contextlib.contextmanager
def _serving(data: Path, log: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run ``inlink serve`` meanwhile; the base URL of the API, and the process."""
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
    """8080, or any other when that is taken."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise click.ClickException("there is no free port")


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Return when the server takes connections."""
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)
    raise click.ClickException(f"inlink serve did not come up:\n{log.read_text()}")


def _tour(base: str, key: str, web: Web) -> None:
    """Ask each of the commands, and check the counts against the web that was made."""
    answers = {}
    for question, command, parameters in TOUR:
        query = urlencode({"apikey": key, **parameters}, safe=":/")
        url = f"{base}/{command}?{query}"
        click.echo(f"# {question}\ncurl '{url}'")
        answers[command] = _get(url)
        click.echo(json.dumps(_shortened(answers[command]), indent=2, ensure_ascii=False) + "\n")
    _check(answers["get-metrics"], answers["get-new-lost-backlinks"], web)
    _export(base, key)


def _export(base: str, key: str) -> None:
    """Have all backlinks of `TARGET` written to a file, and look into it."""
    query = urlencode({"apikey": key, "target": TARGET})
    url = f"{base}/download-all-backlinks?{query}"
    click.echo(f"# All of them in one file?\ncurl '{url}'")
    task = _get(url)
    click.echo(json.dumps(task, indent=2))
    query = urlencode({"apikey": key, "task_id": task["task_id"]})
    url = f"{base}/download-all-backlinks-status?{query}"
    deadline = time.monotonic() + PATIENCE
    while "download_file" not in (task := _get(url)):
        if time.monotonic() > deadline:
            raise click.ClickException(f"the export is not done: {task}")
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
    """The same with long strings (the cursor) cut, for reading."""
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return f"{value[:57]}..." if isinstance(value, str) and len(value) > 100 else value


def _check(metrics: dict[str, Any], lost: dict[str, Any], web: Web) -> None:
    """Compare what was answered with what is true of the web that was made."""
    true = {
        TARGET: [backlink for backlink in _to(web, TARGET) if backlink.lost is None],
        LOSER: [backlink for backlink in _to(web, LOSER) if backlink.lost is not None],
    }
    counted = {TARGET: metrics["metrics"][0]["backlinks"], LOSER: len(lost["new_lost_backlinks"])}
    for target, backlinks in true.items():
        if counted[target] != len(backlinks):
            raise click.ClickException(
                f"{target} has {len(backlinks)}, the index says {counted[target]}."
            )
    click.echo(
        f"# The web that was made has {len(true[TARGET])} live links to {TARGET}, and"
        f" {len(true[LOSER])} to {LOSER} that went: that is right.\n"
    )


def _to(web: Web, host: str) -> list[Backlink]:
    return [backlink for backlink in web.backlinks if urlsplit(backlink.target).hostname == host]


if __name__ == "__main__":
    main()
