"""The HTTP application of one server process.

What is short is answered where requests are read (see `Service.begin`): to hand it to a thread
and back would cost more than the answer. What may take longer, or waits for the database, goes to
threads, so that it does not hold up the others. Bulk commands have few threads of their own: a page
of 100,000 rows takes some 100 MB and, the interpreter lock being one, time from every other thread.
"""

import asyncio
import contextlib
import functools
import gc
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from inlink.accounts.cache import KeyCache
from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.accounts.ledger import Ledger
from inlink.accounts.limits import RateLimits
from inlink.accounts.turns import Turns
from inlink.api import parameters
from inlink.api.call import Resources
from inlink.api.checks import AT_ONCE, Checks
from inlink.api.commands import GET, ROUTES, Command
from inlink.api.cursor import Cursors
from inlink.api.formats import JSON, Format, format_named
from inlink.api.openapi import document
from inlink.api.page import page_endpoints
from inlink.api.routing import Endpoint, Endpoints
from inlink.api.service import Prepared, Received, Rendered, Service, rendered_error
from inlink.contract.errors import ApiError
from inlink.contract.paths import EXPORT_PREFIX, PREFIX, PROOF_PREFIX, SUCCESSOR_PREFIX
from inlink.exports.download import downloads
from inlink.exports.queue import Exports
from inlink.index.generations import Generations
from inlink.store.configuration import load_settings
from inlink.store.layout import Layout

MAX_BODY = 2 * 1024 * 1024  # bytes: a hundred of the longest targets
POLL = 0.5  # seconds between looks at CURRENT
THREADS = 16
BULK_THREADS = 2
FETCHING_THREADS = 2 * AT_ONCE  # so that those are told at once that have to come again

logger = logging.getLogger(__name__)


def create_app(layout: Layout) -> ASGIApp:
    """The application that serves the data directory *layout*.

    Raises:
        SettingsError: ``settings.json`` cannot be used.
    """
    settings = load_settings(layout.root)
    engine = connect(settings.accounts_url or layout.accounts)
    generations = Generations(layout)
    ledger = Ledger(engine)
    turns = Turns(ledger)
    keys = Keys(engine)
    remembered = KeyCache(keys)
    limits = RateLimits(engine)
    checks = Checks(layout, settings)
    service = Service(
        generations,
        remembered,
        limits,
        ledger,
        Resources(
            Cursors(layout.secret()), keys, Exports(engine), settings, layout, limits, checks
        ),
    )
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="answer")
    bulk = ThreadPoolExecutor(BULK_THREADS, thread_name_prefix="bulk")
    fetching = ThreadPoolExecutor(FETCHING_THREADS, thread_name_prefix="fetch")

    @contextlib.asynccontextmanager
    async def running(_app: object) -> AsyncIterator[None]:
        await _follow(generations)
        await asyncio.to_thread(service.warm_up)
        gc.freeze()  # what is there now stays: to look through it again would hold up requests
        watcher = asyncio.create_task(_watch(generations))
        try:
            yield
        finally:
            watcher.cancel()
            checks.close()
            fetching.shutdown()
            pool.shutdown()
            bulk.shutdown()
            remembered.close()
            ledger.close()
            generations.close()
            engine.dispose()

    def pool_of(command: Command) -> ThreadPoolExecutor:
        return fetching if command.fetches else bulk if command.bulk else pool

    commands = [_endpoint(command, service, turns, pool_of(command)) for command in ROUTES]
    files = request_response(downloads(layout))
    endpoints = [
        *commands,
        _openapi_endpoint(),
        *page_endpoints(),
        Endpoint(EXPORT_PREFIX, ("GET", "HEAD"), files, below=True),
    ]
    router = Router([Endpoints(endpoints)], lifespan=running)
    # The class Starlette would raise failures again when they are answered: logged twice, and the
    # connection closed.
    return ExceptionMiddleware(router, {HTTPException: _on_http_error, Exception: _on_failure})


async def _watch(generations: Generations) -> None:
    while True:
        await asyncio.sleep(POLL)
        await _follow(generations)


async def _follow(generations: Generations) -> None:
    number = await asyncio.to_thread(generations.refresh)
    if number is not None:
        logger.info("Serving generation %d", number)


def _endpoint(
    command: Command, service: Service, turns: Turns, pool: ThreadPoolExecutor
) -> Endpoint:
    """The endpoint of a command, plain ASGI: short answers take less time than a request object."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        body = await _body(receive) if method == "POST" else b""
        if body is None:
            return
        received = Received(
            method,
            scope["query_string"],
            body,
            _header(scope, b"authorization"),
            "" if command.has_target else str(Request(scope).base_url).rstrip("/"),
        )
        await _send(await _rendered(command, service, turns, pool, received), send)

    return Endpoint(command.path, command.methods, answer)


async def _rendered(
    command: Command,
    service: Service,
    turns: Turns,
    pool: ThreadPoolExecutor,
    received: Received,
) -> Rendered:
    prepared = service.begin(command, received)
    if not isinstance(prepared, Prepared):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, service.finish, prepared)
    if prepared.charge is None:
        return prepared.rendered
    try:
        return prepared.paid(await turns.charge(prepared.charge))
    except Exception:
        return prepared.uncharged()


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if the client left before its end.

    Raises:
        HTTPException: 413, there is too much of it.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message["body"])
        size += len(pieces[-1])
        if size > MAX_BODY:
            raise HTTPException(413)
        if not message["more_body"]:
            return b"".join(pieces)


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def _send(rendered: Rendered, send: Send) -> None:
    headers = [
        (b"content-type", rendered.media_type.encode()),
        (b"content-length", str(len(rendered.body)).encode()),
    ]
    headers += [(name.encode(), value.encode()) for name, value in rendered.headers.items()]
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body, "more_body": False})


def _openapi_endpoint() -> Endpoint:
    made = functools.cache(document)  # when it is first asked for

    async def openapi(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(made(), media_type=JSON.media_type)(scope, receive, send)

    return Endpoint(f"{PREFIX}/openapi.json", GET, openapi)


def _response(rendered: Rendered) -> Response:
    return Response(
        rendered.body,
        status_code=rendered.status,
        media_type=rendered.media_type,
        headers=rendered.headers,
    )


async def _on_http_error(request: Request, error: Exception) -> Response:
    """What is refused before a command is asked: path, method, size of the body."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    if error.status_code == 404:
        answered = ApiError(
            404,
            f"There is no command at {path}. Commands are under {PREFIX}/, {SUCCESSOR_PREFIX}/ and"
            f" {PROOF_PREFIX}/.",
        )
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        answered = ApiError(405, f"{request.method} is not allowed here; valid: {allowed}.")
    elif error.status_code == 413:
        answered = ApiError(400, f"The body is longer than {MAX_BODY:,} bytes.")
    elif error.status_code < 500:
        answered = ApiError(400, f"The request cannot be read: {error.detail}.")
    else:
        return await _on_failure(request, error)
    response = _response(rendered_error(answered, _output(request)))
    response.headers.update(error.headers or {})
    return response


async def _on_failure(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    failed = ApiError(500, "See the server's log.")
    return _response(rendered_error(failed, _output(request)))


def _output(request: Request) -> Format:
    """The format asked for, as far as that can be read."""
    with contextlib.suppress(ApiError):
        query = parameters.read_query(request.scope["query_string"])
        return format_named(parameters.only_value(query, "output") or "json")
    return JSON
