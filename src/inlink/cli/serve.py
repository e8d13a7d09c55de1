"""``inlink serve``: answer the API over HTTP; worker processes that die are replaced."""

import functools
import http.client
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import click
from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from inlink.accounts.database import connect
from inlink.api import PREFIX
from inlink.cli.options import data_option
from inlink.store import settings
from inlink.store.layout import Layout

if TYPE_CHECKING:
    from litestar import Litestar

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
GRACE = 30  # seconds that requests may go on after the signal to stop


@click.command()
@data_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for any that is free.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of server processes.",
)
def serve(layout: Layout, host: str, port: int, workers: int) -> None:
    """Answer the API over HTTP, until Ctrl-C.

    A new generation is taken up by itself, without a failed request.
    """
    _prepare(layout)
    listener = _listen(host, port)
    address = listener.getsockname()[:2]
    threading.Thread(target=_announce, args=address, daemon=True).start()
    config = Config(
        functools.partial(worker_app, layout),
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,  # a query string holds the API key
        timeout_graceful_shutdown=GRACE,
    )
    with listener:
        Multiprocess(config, sockets=[listener]).run()


def worker_app(layout: Layout) -> "Litestar":
    """The application of one worker, which ends when the process that started it does."""
    from inlink.api.app import create_app

    logging.basicConfig(format=LINE)
    logging.getLogger("inlink").setLevel(logging.INFO)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return create_app(layout)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _prepare(layout: Layout) -> None:
    """Make what workers share, and find what would stop every one of them."""
    try:
        connect(layout.accounts).dispose()
        layout.secret()
        settings.load(layout.root)
    except (OSError, settings.SettingsError) as error:
        raise click.ClickException(str(error)) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror}"
        ) from error


def _announce(host: str, port: int) -> None:
    """Print the address as soon as a request to it is answered."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    while True:
        connection = http.client.HTTPConnection(reached, port, timeout=60)
        try:
            connection.request("GET", f"{PREFIX}/openapi.json")
            connection.getresponse().read()
            break
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Serving at http://{shown}:{port}{PREFIX}/")
