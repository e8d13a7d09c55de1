"""``/export/…``: the files of finished exports, over HTTP.

In: a name. Out: the file, or a part of it. A name cannot be guessed, so that a file needs no key.
A file never changes once it has its name, so a download can be resumed (``Range``, ``If-Range``)
and a client that has it does not get it again (``ETag``).
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from inlink.contract.errors import ApiError
from inlink.exports.worker import FILE_NAME
from inlink.store.layout import Layout

MEDIA_TYPE = "application/gzip"

_BYTE_RANGES = re.compile(r"bytes=(\d+-\d*|-\d+)(\s*,\s*(\d+-\d*|-\d+))*", re.IGNORECASE | re.ASCII)


def downloads(layout: Layout) -> Callable[[Request], Awaitable[Response]]:
    """What answers requests for the export files of a data directory.

    The path parameter ``name`` is the name of a file.
    """

    async def download(request: Request) -> Response:
        path = layout.exports / request.path_params["name"]
        status = await asyncio.to_thread(_status, path)
        return _not_found() if status is None else _file(request, path, status)

    return download


def _status(path: Path) -> os.stat_result | None:
    if not FILE_NAME.fullmatch(path.name):
        return None
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _file(request: Request, path: Path, status: os.stat_result) -> Response:
    headers = MutableHeaders(scope=request.scope)
    # A range that is not understood is to be ignored (RFC 9110, 14.2); Starlette would answer 400.
    if not _BYTE_RANGES.fullmatch(headers.get("range", "").strip()):
        del headers["range"]
    response = FileResponse(path, media_type=MEDIA_TYPE, filename=path.name, stat_result=status)
    if StaticFiles().is_not_modified(response.headers, headers):
        return NotModifiedResponse(response.headers)
    return response


def _not_found() -> Response:
    error = ApiError(404, "There is no such export, or it has expired and was removed.")
    body = msgspec.json.encode(error.body())
    return Response(body, error.status, media_type="application/json")
