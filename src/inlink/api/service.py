"""From a request to its answer: the one way that every command goes.

In: command, method, raw query string and body. Out: status, headers and bytes. Checked in this
order: the output format, the key, the parameters; path and method were checked before. Nothing here
knows of HTTP servers, so it runs in any thread.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import msgspec

from inlink.accounts.cache import KeyCache
from inlink.api import parameters
from inlink.api.commands import Call, Command, Method
from inlink.api.cursor import Cursors
from inlink.api.errors import HUGE_TARGET_STATUS, ApiError
from inlink.api.formats import JSON, Format, chosen
from inlink.api.generations import Generations, NothingBuiltError
from inlink.api.requests import takes_batch
from inlink.store.settings import Settings
from inlink.urls.targets import Mode, TargetError, parse_target

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent back."""

    status: int
    media_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """What a server process needs to answer requests."""

    generations: Generations
    keys: KeyCache
    cursors: Cursors
    settings: Settings

    def respond(self, command: Command[Any], method: Method, query: bytes, body: bytes) -> Rendered:
        """Answer one request; whatever is wrong is answered too."""
        output = JSON
        try:
            given = parameters.read_query(query)
            output = chosen(parameters.only_value(given, "output") or "json")
            self._check_key(given)
            return self._answer(command, method, given, body, output)
        except ApiError as error:
            return rendered_error(error, output)
        except Exception:
            logger.exception("%s %s failed", method, command.name)
            return rendered_error(ApiError(500, "The server's log says more."), output)

    def _check_key(self, query: parameters.Query) -> None:
        key = parameters.only_value(query, "apikey")
        if key is None:
            raise ApiError(401, "The parameter apikey is missing: every request has to have a key.")
        account = self.keys.find(key)
        if account is None:
            raise ApiError(401, "There is no such API key.")
        if not account.enabled:
            raise ApiError(403, "This API key is disabled.")

    def _answer(
        self,
        command: Command[Any],
        method: Method,
        query: parameters.Query,
        body: bytes,
        output: Format,
    ) -> Rendered:
        if method == "POST":
            request = parameters.from_values(parameters.read_body(body), command.request)
        else:
            request = parameters.from_query(query, command.request)
        batch = takes_batch(command.request)
        texts = parameters.targets(request.target) if batch else [request.target]
        mode: Mode = request.mode if command.has_mode else "url"
        try:
            targets = [parse_target(text, mode, self.settings.drop_parameters) for text in texts]
        except TargetError as error:
            raise ApiError.invalid("target", str(error)) from error
        try:
            with self.generations.lease() as reader:
                huge = self.settings.huge_target
                answer = command.run(Call(request, texts, targets, reader, self.cursors, huge))
        except NothingBuiltError:
            raise ApiError(503, "Nothing has been built yet: run inlink build.") from None
        return Rendered(_status(answer), output.media_type, output.encode(answer))


def rendered_error(error: ApiError, output: Format = JSON) -> Rendered:
    """An error in the format asked for."""
    return Rendered(error.status, output.media_type, output.encode(error.body()), error.headers())


def _status(answer: msgspec.Struct) -> int:
    message = getattr(answer, "message", msgspec.UNSET)
    return 200 if message is msgspec.UNSET else HUGE_TARGET_STATUS
