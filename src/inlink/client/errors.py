"""The errors that the client raises.

    ClientError              any failure; ``status`` is that of the answer, None if there was none
    ├── HugeTargetError      the target has too many backlinks to be listed (status 244)
    └── ExportError          a task of download-all-backlinks that gives no file

All of them can be pickled, so that worker processes can return them.
"""

import email.utils
import http
import time

import httpx
import msgspec

from inlink.contract.errors import HUGE_TARGET, HUGE_TARGET_STATUS, MESSAGES, ErrorBody

SHOWN = 200  # characters of a body that is not the API's


class ClientError(Exception):
    """A request that failed permanently, or on every attempt.

    ``status`` is that of the HTTP answer, None if there was none. ``message`` names the kind of
    failure, and ``description`` says what exactly is wrong ("" if the server did not say).
    ``retry_after`` is how many seconds the server asked the client to wait, None if it did not.
    """

    def __init__(
        self,
        message: str,
        description: str = "",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, description, status, retry_after)
        self.message = message
        self.description = description
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        said = (self.status, self.message, self.description)
        return " ".join(str(part) for part in said if part not in (None, ""))


class HugeTargetError(ClientError):
    """The target has too many backlinks to be listed; get-metrics still answers for it."""


class ExportError(ClientError):
    """A task of download-all-backlinks that gives no file.

    ``task_status`` is "rejected" if the key has another running export, whose id is ``task_id`` if
    the server gives it; or "task id is unknown or deleted".
    """

    def __init__(self, task_status: str, task_id: str) -> None:
        explained = f"Task {task_id or 'without an id'}: {task_status}."
        super().__init__("The export gives no file.", explained, 200)
        self.args = (task_status, task_id)
        self.task_status = task_status
        self.task_id = task_id


class _Said(msgspec.Struct):
    message: str = ""


def refusal(response: httpx.Response, content: bytes) -> ClientError:
    """The error that an answer reports; its status is 244 or not 2xx."""
    status = response.status_code
    if status == HUGE_TARGET_STATUS:
        return HugeTargetError(_message(content) or HUGE_TARGET, status=status)
    retry_after = _seconds(response.headers.get("Retry-After"))
    try:
        error = msgspec.json.decode(content, type=ErrorBody).error
    except msgspec.MsgspecError:
        message = MESSAGES.get(status) or _phrase(status)
        return ClientError(message, _description(response, content), status, retry_after)
    return ClientError(error.message, error.description, status, retry_after)


def unreachable(error: httpx.RequestError) -> ClientError:
    """The error of a request that got no answer."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    failed = ClientError("The server did not answer.", f"{error.request.url.host}: {said}")
    failed.__cause__ = error
    return failed


def unexpected(what: str, why: str, content: bytes = b"") -> ClientError:
    """The error for an answer with status 200 that does not follow the API."""
    begins = f"; it begins with {shown(content)!r}" if content else ""
    return ClientError("The answer does not follow the API.", f"{what}: {why}{begins}.", 200)


def shown(content: bytes) -> str:
    """The beginning of a body, for people to read."""
    text = " ".join(content[: 4 * SHOWN].decode(errors="replace").split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _description(response: httpx.Response, content: bytes) -> str:
    if response.is_redirect:
        location = response.url.join(response.headers["Location"]).copy_with(query=None)
        return f"The server redirects to {location}. Use its base URL."
    return shown(content)


def _phrase(status: int) -> str:
    try:
        return f"{http.HTTPStatus(status).phrase}."
    except ValueError:
        return "Unknown status."


def _message(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Said).message
    except msgspec.MsgspecError:
        return ""


def _seconds(retry_after: str | None) -> float | None:
    """The seconds that the header ``Retry-After`` gives, or its date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())
