"""The HTTP application of one server process.

Requests are answered in threads (see `Service`), so that one that takes long does not hold up the
others; the event loop only reads and writes. Bulk commands have few threads of their own: a page of
100,000 rows takes some 100 MB and, the interpreter lock being one, time from every other thread.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from litestar import Litestar, MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from inlink.accounts.cache import KeyCache
from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.api import PREFIX
from inlink.api.commands import COMMANDS, Command, Method
from inlink.api.cursor import Cursors
from inlink.api.errors import ApiError
from inlink.api.generations import Generations
from inlink.api.openapi import document
from inlink.api.service import Rendered, Service, rendered_error
from inlink.store import settings
from inlink.store.layout import Layout

MAX_BODY = 2 * 1024 * 1024  # bytes: a hundred of the longest targets
POLL = 0.5  # seconds between looks at CURRENT
THREADS = 16
BULK_THREADS = 2

logger = logging.getLogger(__name__)

HttpRequest = Request[Any, Any, Any]


def create_app(layout: Layout) -> Litestar:
    """The application that serves the data directory *layout*.

    Raises:
        SettingsError: ``settings.json`` cannot be used.
    """
    engine = connect(layout.accounts)
    generations = Generations(layout)
    service = Service(
        generations, KeyCache(Keys(engine)), Cursors(layout.secret()), settings.load(layout.root)
    )
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="answer")
    bulk = ThreadPoolExecutor(BULK_THREADS, thread_name_prefix="bulk")

    @contextlib.asynccontextmanager
    async def running(_app: Litestar) -> AsyncIterator[None]:
        await asyncio.to_thread(generations.refresh)
        watcher = asyncio.create_task(_watch(generations))
        try:
            yield
        finally:
            watcher.cancel()
            pool.shutdown()
            bulk.shutdown()
            generations.close()
            engine.dispose()

    routes = [_route(command, service, bulk if command.bulk else pool) for command in COMMANDS]
    return Litestar(
        [*routes, _openapi_route()],
        lifespan=[running],
        exception_handlers={HTTPException: _on_http_error, Exception: _on_failure},
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        logging_config=None,
    )


async def _watch(generations: Generations) -> None:
    while True:
        await asyncio.sleep(POLL)
        await asyncio.to_thread(generations.refresh)


def _route(command: Command[Any], service: Service, pool: ThreadPoolExecutor) -> HTTPRouteHandler:
    async def answer(request: HttpRequest) -> Response[bytes]:
        body = await request.body()
        query = request.scope["query_string"]
        rendered = await asyncio.get_running_loop().run_in_executor(
            pool, service.respond, command, cast("Method", request.method), query, body
        )
        return _response(rendered)

    handler = HTTPRouteHandler(
        f"{PREFIX}/{command.name}", http_method=command.methods, status_code=200
    )
    return handler(answer)


def _openapi_route() -> HTTPRouteHandler:
    content = document()

    async def openapi() -> Response[bytes]:
        return Response(content, media_type=MediaType.JSON)

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
        answered = ApiError(404, f"There is nothing at {path}; commands are under {PREFIX}/.")
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        answered = ApiError(405, f"{request.method} cannot be used here; valid: {allowed}.")
    elif error.status_code < 500:
        answered = ApiError(400, f"The request cannot be read: {error.detail}.")
    else:
        return _on_failure(request, error)
    response = _response(rendered_error(answered))
    response.headers.update(error.headers or {})
    return response


def _on_failure(request: HttpRequest, error: Exception) -> Response[bytes]:
    logger.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return _response(rendered_error(ApiError(500, "The server's log says more.")))
