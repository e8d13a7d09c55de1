"""From a request to its answer: the one way that every command goes.

In: a command, and what was received. Out: status, headers and bytes. Checked in this order: the
output format, the key, its rate, the parameters; path and method were checked before. The key pays
when the answer stands. Nothing here knows of HTTP servers, so it runs in any thread. A request
begins in the thread that serves all requests, and where it may take long or wait, it goes on in
another one: `Steps` stops there.
"""

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import msgspec

from inlink.accounts.cache import KeyCache
from inlink.accounts.keys import Key
from inlink.accounts.ledger import Charge, Ledger
from inlink.accounts.limits import RateLimits
from inlink.api import parameters
from inlink.api.call import AccountCall, Call, Resources, today
from inlink.api.commands import EXPORT, Command, Method
from inlink.api.formats import JSON, Format, format_named
from inlink.contract.answers import RecordFile
from inlink.contract.errors import HUGE_TARGET_STATUS, ApiError
from inlink.contract.requests import takes_batch
from inlink.contract.vocabulary import Mode
from inlink.index.generations import Generations, NothingBuiltError
from inlink.urls.targets import Target, TargetError, parse_target, parse_url

logger = logging.getLogger(__name__)

REMEMBERED_TARGETS = 4096
"""Tools ask several things about one target."""

TOKEN = "token "  # noqa: S105
"""How an ``Authorization`` header with a key begins, in upper or lower case."""


Result = TypeVar("Result")

Steps: TypeAlias = Generator[None, None, Result]
"""A way to a result that stops before each step that may take long, or wait for the database."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a request brought."""

    method: Method
    query: bytes
    body: bytes = b""
    authorization: str | None = None
    """The header of that name."""
    base_url: str = ""
    """See `AccountCall.base_url`."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent back."""

    status: int
    media_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


_parsed_target = lru_cache(REMEMBERED_TARGETS)(parse_target)


@dataclass(frozen=True, slots=True)
class Service:
    """What a server process needs to answer requests."""

    generations: Generations
    keys: KeyCache
    limits: RateLimits
    ledger: Ledger
    resources: Resources

    def warm_up(self) -> None:
        """Load what the first request would wait for: the public suffixes, the database."""
        parse_target("example.com", "domain")
        self.keys.find("")

    def respond(self, command: Command, received: Received) -> Rendered:
        """Answer one request in this thread; whatever is wrong is answered too."""
        return self.finish(self._prepare(command, received))

    def begin(self, command: Command, received: Received) -> "Prepared | Steps[Prepared]":
        """The answer, if that takes some milliseconds at most and waits for nothing.

        Otherwise what is to be done yet, for `finish`.
        """
        steps = self._prepare(command, received)
        try:
            next(steps)
        except StopIteration as done:
            prepared: Prepared = done.value
            return prepared
        return steps

    def finish(self, steps: "Steps[Prepared]") -> Rendered:
        """Go on with a request that has begun, and charge it. May take long, or wait."""
        prepared = _run(steps)
        if prepared.charge is None:
            return prepared.rendered
        try:
            return prepared.paid(self.ledger.charge(*prepared.charge))
        except Exception:
            return prepared.uncharged()

    def _prepare(self, command: Command, received: Received) -> "Steps[Prepared]":
        """The answer to one request; whatever is wrong is answered too."""
        output = JSON
        try:
            query = parameters.read_query(received.query)
            output = format_named(parameters.only_value(query, "output") or "json")
            key = yield from self._key(query, received.authorization)
            yield from self._check_rate(key)
            request = _request(command, received, query)
            answer = yield from self._answer(command, request, key, received.base_url)
            return self._charged(command, key, answer, _rendered(answer, output), output)
        except ApiError as error:
            return Prepared(rendered_error(error, output))
        except Exception:
            logger.exception("%s %s failed", received.method, command.path)
            return Prepared(rendered_error(ApiError(500, "See the server's log."), output))

    def _key(self, query: parameters.Query, authorization: str | None) -> Steps[Key]:
        text = parameters.only_value(query, "apikey")
        if text is None and authorization and authorization.lower().startswith(TOKEN):
            text = authorization[len(TOKEN) :].strip()
        if not text:
            raise ApiError(
                401,
                "The key is missing. Send the parameter apikey, or the header"
                " Authorization: Token KEY.",
            )
        key = self.keys.remembered(text)
        if key is None:
            yield
            key = self.keys.find(text)
        if key is None:
            raise ApiError(401, "There is no such API key.")
        if not key.enabled:
            raise ApiError(403, "This API key is disabled.")
        if not key.active(today()):
            raise ApiError(403, f"This API key expired: its last day was {key.expires_on}.")
        return key

    def _check_rate(self, key: Key) -> Steps[None]:
        if key.rate_limit is None:
            return
        yield
        wait = self.limits.take(key)
        if wait > 0:
            raise ApiError(
                429,
                f"This API key may send {key.rate_limit:g} requests a second.",
                retry_after=wait,
            )

    def _answer(
        self, command: Command, request: Any, key: Key, base_url: str
    ) -> Steps[msgspec.Struct]:
        asked = request, key, self.resources, self._price(command), base_url
        if not command.has_target:
            yield
            return command.run(AccountCall(*asked))
        texts, targets = self._targets(command, request)
        try:
            with self.generations.lease() as reader:
                call = Call(*asked, texts, targets, reader)
                rows = getattr(request, "limit", 1)
                if not reader.is_quick(targets, command.reads(request), rows):
                    yield
                return command.run(call)
        except NothingBuiltError as error:
            raise ApiError(503, str(error)) from None

    def _targets(self, command: Command, request: Any) -> tuple[list[str], list[Target]]:
        """The targets of a request, as they were sent and as they are read."""
        if command.has_link:
            texts = [request.url_from, request.url_to]
            return texts, [
                self._target("url_from", parse_url, request.url_from),
                self._target("url_to", parse_url, request.url_to),
            ]
        texts = [request.target]
        if takes_batch(command.request):
            texts = parameters.targets(request.target)
        mode: Mode = request.mode if command.has_mode else "url"

        def read(text: str, drop: tuple[str, ...]) -> Target:
            return _parsed_target(text, mode, drop)

        return texts, [self._target("target", read, text) for text in texts]

    def _target(
        self, parameter: str, read: Callable[[str, tuple[str, ...]], Target], text: str
    ) -> Target:
        try:
            return read(text, self.resources.settings.drop_parameters)
        except TargetError as error:
            raise ApiError.invalid(parameter, str(error)) from error

    def _price(self, command: Command) -> int:
        return self.resources.settings.costs.get(command.name, command.units)

    def _charged(
        self,
        command: Command,
        key: Key,
        answer: msgspec.Struct,
        rendered: Rendered,
        output: Format,
    ) -> "Prepared":
        if command.name == EXPORT.name:
            return Prepared(rendered)  # the task pays
        items = 1 if command.per_request and _status(answer) == 200 else command.rows(answer)
        charge = Charge(key.id, command.name, self._price(command) * items)
        return Prepared(rendered, output, charge)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer, and what is to be paid before it is sent."""

    rendered: Rendered
    output: Format = JSON
    charge: Charge | None = None
    """None where nothing is to be paid."""

    def paid(self, granted: bool) -> Rendered:
        """What is sent when the charge is *granted*, or refused: the key has fewer units."""
        if granted or self.charge is None:
            return self.rendered
        units = self.charge.units
        refused = ApiError(402, f"This answer costs {units:,} units, more than are left.")
        return rendered_error(refused, self.output)

    def uncharged(self) -> Rendered:
        """What is sent when the charge failed, while its error is handled."""
        logger.exception("%s could not be charged", self.charge and self.charge.command)
        return rendered_error(ApiError(500, "See the server's log."), self.output)


def _run(steps: Steps[Result]) -> Result:
    """What comes of all steps."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: Result = done.value
            return result


def _rendered(answer: msgspec.Struct, output: Format) -> Rendered:
    if isinstance(answer, RecordFile):
        named = {"Content-Disposition": f'attachment; filename="{answer.name}"'}
        return Rendered(200, answer.media_type, answer.content, named)
    return Rendered(_status(answer), output.media_type, output.encode(answer))


def _request(command: Command, received: Received, query: parameters.Query) -> Any:
    if received.method == "POST":
        return parameters.from_values(parameters.read_body(received.body), command.request)
    return parameters.from_query(query, command.request)


def rendered_error(error: ApiError, output: Format = JSON) -> Rendered:
    """An error in the format asked for."""
    return Rendered(error.status, output.media_type, output.encode(error.body()), error.headers())


def _status(answer: msgspec.Struct) -> int:
    message = getattr(answer, "message", msgspec.UNSET)
    return 200 if message is msgspec.UNSET else HUGE_TARGET_STATUS
