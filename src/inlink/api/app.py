"""The HTTP application of one server process.

What is short is answered where requests are read (see `Service.at_once`): to hand it to a thread
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
from typing import Any, cast

from litestar import Litestar, MediaType, Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send

from inlink.accounts.cache import KeyCache
from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.accounts.ledger import Ledger
from inlink.accounts.limits import RateLimits
from inlink.accounts.turns import Turns
from inlink.api import parameters
from inlink.api.call import Resources
from inlink.api.checks import AT_ONCE, Checks
from inlink.api.commands import ROUTES, Command, Method
from inlink.api.cursor import Cursors
from inlink.api.download import download_route
from inlink.api.formats import JSON, Format, format_named
from inlink.api.openapi import document
from inlink.api.page import page_routes
from inlink.api.service import Received, Rendered, Service, rendered_error
from inlink.contract.errors import ApiError
from inlink.contract.paths import PREFIX, PROOF_PREFIX, SUCCESSOR_PREFIX
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

HttpRequest = Request[Any, Any, Any]


def create_app(layout: Layout) -> Litestar:
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
    async def running(_app: Litestar) -> AsyncIterator[None]:
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

    routes = [_route(command, service, turns, pool_of(command)) for command in ROUTES]
    return Litestar(
        [*routes, _openapi_route(), *page_routes(), download_route(layout)],
        lifespan=[running],
        exception_handlers={HTTPException: _on_http_error, Exception: _on_failure},
        openapi_config=None,
        logging_config=None,
    )


async def _watch(generations: Generations) -> None:
    while True:
        await asyncio.sleep(POLL)
        await _follow(generations)


async def _follow(generations: Generations) -> None:
    number = await asyncio.to_thread(generations.refresh)
    if number is not None:
        logger.info("Serving generation %d", number)


def _route(
    command: Command, service: Service, turns: Turns, pool: ThreadPoolExecutor
) -> ASGIRouteHandler:
    """The route of a command, plain ASGI: short answers take less time than a request object."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == ScopeType.HTTP
        method = scope["method"]
        if method not in command.methods:
            await _other_method(command, scope, receive, send)
            return
        body = await _body(receive) if method == "POST" else b""
        if body is None:
            return
        received = Received(
            cast("Method", method),
            scope["query_string"],
            body,
            _header(scope, b"authorization"),
            "" if command.has_target else _base_url(HttpRequest(scope)),
        )
        await _send(await _rendered(command, service, turns, pool, received), send)

    return ASGIRouteHandler(command.path, copy_scope=False)(answer)


async def _rendered(
    command: Command,
    service: Service,
    turns: Turns,
    pool: ThreadPoolExecutor,
    received: Received,
) -> Rendered:
    prepared = service.at_once(command, received)
    if prepared is None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, service.respond, command, received)
    if prepared.charge is None:
        return prepared.rendered
    try:
        return prepared.paid(await turns.charge(prepared.charge))
    except Exception:
        return prepared.uncharged()


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if the client left before its end.

    Raises:
        RequestEntityTooLarge: there is too much of it.
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
            raise RequestEntityTooLarge
        if not message["more_body"]:
            return b"".join(pieces)


def _header(scope: HTTPScope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def _send(rendered: Rendered, send: Send) -> None:
    headers = [
        (b"content-type", rendered.media_type.encode()),
        (b"content-length", str(len(rendered.body)).encode()),
    ]
    headers += [(name.encode(), value.encode()) for name, value in rendered.headers.items()]
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body, "more_body": False})


async def _other_method(command: Command, scope: HTTPScope, receive: Receive, send: Send) -> None:
    allowed = ", ".join([*command.methods, "OPTIONS"])
    if scope["method"] != "OPTIONS":
        raise MethodNotAllowedException(headers={"allow": allowed})
    response = Response(content=None, status_code=204, headers={"Allow": allowed})
    await response.to_asgi_response(None, HttpRequest(scope))(scope, receive, send)


def _base_url(request: HttpRequest) -> str:
    try:
        return str(request.base_url).rstrip("/")
    except ValueError as error:  # a port that is none
        raise ClientException("Invalid host header") from error


def _openapi_route() -> HTTPRouteHandler:
    made = functools.cache(document)  # when it is first asked for

    async def openapi() -> Response[bytes]:
        return Response(made(), media_type=MediaType.JSON)

    return HTTPRouteHandler(f"{PREFIX}/openapi.json", http_method="GET")(openapi)


def _response(rendered: Rendered) -> Response[bytes]:
    return Response(
        rendered.body,
        status_code=rendered.status,
        media_type=rendered.media_type,
        headers=rendered.headers,
    )


def _on_http_error(request: HttpRequest, error: HTTPException) -> Response[bytes]:
    """What the framework refuses: path, method, size of the body."""
    path = request.scope["path"]
    if error.status_code == 404:
        answered = ApiError(
            404,
            f"There is nothing at {path}; commands are under {PREFIX}/, {SUCCESSOR_PREFIX}/ and"
            f" {PROOF_PREFIX}/.",
        )
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        answered = ApiError(405, f"{request.method} cannot be used here; valid: {allowed}.")
    elif error.status_code == 413:
        answered = ApiError(400, f"The body is longer than {MAX_BODY:,} bytes.")
    elif error.status_code < 500:
        answered = ApiError(400, f"The request cannot be read: {error.detail}.")
    else:
        return _on_failure(request, error)
    response = _response(rendered_error(answered, _output(request)))
    response.headers.update(error.headers or {})
    return response


def _on_failure(request: HttpRequest, error: Exception) -> Response[bytes]:
    logger.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    failed = ApiError(500, "The server's log says more.")
    return _response(rendered_error(failed, _output(request)))


def _output(request: HttpRequest) -> Format:
    """The format asked for, as far as that can be read."""
    with contextlib.suppress(ApiError):
        query = parameters.read_query(request.scope["query_string"])
        return format_named(parameters.only_value(query, "output") or "json")
    return JSON
