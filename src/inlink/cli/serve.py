"""``inlink serve``: answer the API over HTTP and write exports; processes that die are replaced."""

import functools
import http.client
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import click
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from inlink.cli.options import data_option
from inlink.contract.paths import PREFIX
from inlink.exports.supervision import supervised_workers
from inlink.store.configuration import SettingsError, load_settings
from inlink.store.layout import Layout
from inlink.store.log import log_to_stderr

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HEALTH = 10  # seconds that a worker may be silent, for example as it starts on a busy machine
GRACE = 30  # seconds that requests may continue after the signal to stop


@click.command()
@data_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes any free port.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of server processes.",
)
@click.option(
    "--export-workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="Number of processes that write export files; 0 for none.",
)
def serve(layout: Layout, host: str, port: int, workers: int, export_workers: int) -> None:
    """Answer the API over HTTP until Ctrl-C.

    A running server switches to a new generation on its own, without a failed request.
    """
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        load_settings(layout.root)
        layout.secret()
    except (OSError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    listener = _listen(host, port)
    answers = threading.Event()
    address = listener.getsockname()[:2]
    threading.Thread(target=_announce, args=(*address, answers), daemon=True).start()
    config = Config(
        functools.partial(worker_app, layout),
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,  # a query string holds the API key
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=HEALTH,
    )
    servers = Multiprocess(config, sockets=[listener])
    with listener, supervised_workers(layout, export_workers, answers):
        servers.run()
    if any(process.exitcode == STARTUP_FAILURE for process in servers.processes):
        raise click.ClickException(_what_is_wrong(layout))


def worker_app(layout: Layout) -> "ASGIApp":
    """The application of one worker, which ends when the process that started it does.

    Raises:
        SystemExit: the application cannot be created; `_what_is_wrong` says why.
    """
    from inlink.accounts.database import AccountsError
    from inlink.api.app import create_app

    log_to_stderr()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        return create_app(layout)
    except AccountsError:
        sys.exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _what_is_wrong(layout: Layout) -> str:
    """What stops a worker from starting although settings and data directory are valid.

    This is checked only afterwards: importing the database library takes as long as starting a
    worker.
    """
    from inlink.accounts.database import AccountsError, connect

    try:
        connect(load_settings(layout.root).accounts_url or layout.accounts).dispose()
    except AccountsError as error:
        return str(error)
    return "A server process could not start."


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror}"
        ) from error


def _announce(host: str, port: int, answers: threading.Event) -> None:
    """Print the address as soon as a request to it is answered, and set *answers*."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    while True:
        connection = http.client.HTTPConnection(reached, port, timeout=60)
        try:
            connection.request("GET", f"{PREFIX}/get-metrics")  # without a key, so free of charge
            connection.getresponse().read()
            break
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Serving at http://{shown}:{port}{PREFIX}/")
    answers.set()
