"""Requests to one server: writing, retrying and reading them.

These are coroutines over a `Wire`. In: a command and its parameters, or the URL of a file. Out: its
answer, or its bytes. After a temporary failure (429, 500, 502, 503, 504, no connection, a broken
one) the request is retried after a pause. The pause is as long as ``Retry-After`` says, and at
least `BASE` seconds, doubled with each attempt, minus a random part of up to a half, so that
clients that failed together do not return together.
"""

import contextlib
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx
import msgspec

from inlink import __version__
from inlink.client.decode import Answer, decode
from inlink.client.errors import ClientError, refusal, unexpected, unreachable
from inlink.client.wire import Wire
from inlink.contract.errors import HUGE_TARGET_STATUS
from inlink.contract.paths import PREFIX, PROOF_PREFIX

PASSING = frozenset({429, 500, 502, 503, 504})
PASSING_ERRORS = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
)

BASE = 0.5  # seconds
LONGEST = 30.0  # seconds

USER_AGENT = f"inlink-client/{__version__}"

Parameters = Mapping[str, Any]


class Trial:
    """The attempts at one request: at most *attempts* of them, within *timeout* seconds in all."""

    def __init__(self, attempts: int, timeout: float) -> None:
        self._attempts = attempts
        self._deadline = time.monotonic() + timeout
        self._failed = 0

    def left(self) -> float:
        """Seconds left for the next attempt, more than 0."""
        return max(0.001, self._deadline - time.monotonic())

    async def again(self, wire: Wire, error: ClientError) -> None:
        """Pause before the next attempt.

        Raises:
            ClientError: *error*, if this was the last attempt or no time is left for another.
        """
        self._failed += 1
        longest = min(BASE * 2 ** (self._failed - 1), LONGEST)
        pause = max(error.retry_after or 0.0, random.uniform(longest / 2, longest))  # noqa: S311
        if self._failed >= self._attempts or pause >= self.left():
            error.add_note(f"Gave up after attempt {self._failed}.")
            raise error
        await wire.pause(pause)


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and how patient to be with it."""

    base_url: httpx.URL
    apikey: str = field(repr=False)
    attempts: int
    timeout: float

    async def get(
        self, wire: Wire, command: str, answer: type[Answer], parameters: Parameters
    ) -> Answer:
        """The answer to *command*; parameters that are None are left out.

        Raises:
            ClientError: it failed.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        return decode(await self._ask(wire, "GET", command, given), answer)

    async def proof(
        self, wire: Wire, path: str, answer: type[Answer], parameters: Parameters
    ) -> Answer:
        """The answer to a command about one link, which only Inlink servers have.

        Raises:
            ClientError: it failed.
        """
        return decode(await self._ask(wire, "GET", path, parameters, prefix=PROOF_PREFIX), answer)

    async def record(self, wire: Wire, parameters: Parameters) -> bytes:
        """The record that proves a link.

        Raises:
            ClientError: it failed.
        """
        path = "evidence/record"
        return (await self._ask(wire, "GET", path, parameters, prefix=PROOF_PREFIX)).content

    async def post(
        self, wire: Wire, command: str, answer: type[Answer], parameters: Parameters
    ) -> Answer:
        """The answer to *command*, with the parameters in a body, where they may be lists.

        Raises:
            ClientError: it failed.
        """
        body = msgspec.json.encode(parameters)
        return decode(await self._ask(wire, "POST", command, {}, body), answer)

    async def file(self, wire: Wire, url: str) -> AsyncGenerator[bytes, None]:
        """The bytes of the file at *url*, which needs no key.

        If the connection breaks, the download continues where it stopped (RFC 9110, 14.2). Each
        piece that arrives resets attempts and timeout.

        Raises:
            ClientError: it failed, or the file changed meanwhile.
        """
        place, version = 0, ""
        trial = Trial(self.attempts, self.timeout)
        while True:
            request = self._file_request(url, place, version, trial.left())
            try:
                async with _opened(wire, request) as response:
                    skip = _to_skip(response, place, version)
                    version = _version(response)
                    async for chunk in wire.chunks(response):
                        new, skip = chunk[skip:], max(0, skip - len(chunk))
                        place += len(new)
                        trial = Trial(self.attempts, self.timeout)
                        yield new
                return
            except httpx.RequestError as error:
                await trial.again(wire, _failed(error))
            except ClientError as error:
                if error.status not in PASSING:
                    raise
                await trial.again(wire, error)

    async def _ask(
        self,
        wire: Wire,
        method: Literal["GET", "POST"],
        command: str,
        parameters: Parameters,
        body: bytes | None = None,
        prefix: str = PREFIX,
    ) -> httpx.Response:
        trial = Trial(self.attempts, self.timeout)
        while True:
            path = f"{prefix}/{command}"
            request = self._command_request(method, path, parameters, body, trial.left())
            try:
                response = await wire.send(request)
            except httpx.RequestError as error:
                await trial.again(wire, _failed(error))
                continue
            if response.is_success and response.status_code != HUGE_TARGET_STATUS:
                return response
            refused = refusal(response, response.content)
            if refused.status not in PASSING:
                raise refused
            await trial.again(wire, refused)

    def _command_request(
        self,
        method: Literal["GET", "POST"],
        command_path: str,
        parameters: Parameters,
        body: bytes | None,
        timeout: float,
    ) -> httpx.Request:
        # `quote`, because not every server reads a "+" in a query string as a space.
        query = urlencode(
            {"apikey": self.apikey, "output": "json", **parameters}, quote_via=quote, safe=""
        )
        path = f"{self.base_url.path.rstrip('/')}{command_path}"
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        return httpx.Request(
            method,
            self.base_url.copy_with(path=path, query=query.encode()),
            headers=headers,
            content=body,
            extensions={"timeout": httpx.Timeout(timeout).as_dict()},
        )

    def _file_request(self, url: str, place: int, version: str, timeout: float) -> httpx.Request:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if place and version:
            headers |= {"Range": f"bytes={place}-", "If-Range": version}
        return httpx.Request(
            "GET",
            self.base_url.join(url),
            headers=headers,
            extensions={"timeout": httpx.Timeout(timeout).as_dict()},
        )


def _failed(error: httpx.RequestError) -> ClientError:
    """*error* as a `ClientError`, if the failure may be temporary.

    Raises:
        ClientError: the failure is permanent.
    """
    failed = unreachable(error)
    if not isinstance(error, PASSING_ERRORS):
        raise failed
    return failed


@contextlib.asynccontextmanager
async def _opened(wire: Wire, request: httpx.Request) -> AsyncIterator[httpx.Response]:
    response = await wire.open(request)
    try:
        yield response
    finally:
        await wire.close(response)


def _version(response: httpx.Response) -> str:
    """The validator that distinguishes this version of a file from others; "" if it has none."""
    tag: str = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    modified: str = response.headers.get("Last-Modified", "")
    return modified


def _to_skip(response: httpx.Response, place: int, version: str) -> int:
    """How many bytes of *response* to skip if *place* bytes of *version* were already received.

    Raises:
        ClientError: the answer is an error, or the download cannot continue with it.
    """
    if not response.is_success:
        raise refusal(response, b"")
    if place == 0:
        return 0
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        given = response.headers.get("Content-Range", "")
        if not given.startswith(f"bytes {place}-"):
            raise unexpected("The export file", f"bytes from {place} were requested, not {given!r}")
        return 0
    if not version or _version(response) != version:
        raise unexpected("The export file", "it changed during the download")
    return place  # the server does not support ranges
