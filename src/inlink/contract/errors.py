"""Errors as the API reports them.

    {"error": {"code": 400, "message": "...", "description": "..."}, "message": "..."}

``message`` has the words of the specification's table "Error Handling" (without its sentences that
send people to another company for a key); ``description`` says what exactly is wrong and what is
valid. An answer with a 2xx status never has the key ``error``.
"""

import math
from typing import Self

import msgspec

RETRY_AFTER = 5  # seconds

MESSAGES = {
    400: "Parameters are invalid.",
    401: "Authentication failed. Please make sure your API key is valid and active.",
    402: "Insufficient funds, API key is temporarily disabled. Please make a payment to enable"
    " your API key.",
    403: "Authentication failed. Please ensure you have a valid, enabled API key.",
    404: "The requested resource could not be found.",
    405: "Method Not Allowed.",
    406: 'Unsupported output format. Supported output formats are "json" (default) and "xml".',
    410: "The requested resource is no longer there.",
    429: "Call rate limit reached.",
    500: "Unexpected error. Please try again later.",
    503: "System is busy. Please try again later.",
    504: "The page took too long to answer.",
}

HUGE_TARGET_STATUS = 244
HUGE_TARGET = (
    "Results for huge websites like google.com or twitter.com are unavailable via API so far."
)


class ErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong."""

    code: int
    message: str
    description: str


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer whose status is not 2xx."""

    error: ErrorDetail
    message: str


class ApiError(Exception):
    """A request that is answered with an error; *retry_after* is in seconds, for 429 and 503."""

    def __init__(
        self,
        status: int,
        description: str,
        message: str | None = None,
        retry_after: float = RETRY_AFTER,
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.description = description
        self.message = MESSAGES[status] if message is None else message
        super().__init__(f"{status} {self.message} {description}")

    @classmethod
    def missing(cls, parameter: str, valid: str) -> Self:
        """400: a required parameter is missing; *valid* says what is accepted."""
        return cls(400, f"{parameter} is required: {valid}.", f"Parameter {parameter} is missing.")

    @classmethod
    def invalid(cls, parameter: str, description: str) -> Self:
        """400: a parameter's value cannot be used; *description* says why and what is valid."""
        return cls(400, description, f"Parameter {parameter} is invalid.")

    def body(self) -> ErrorBody:
        """The body of the answer."""
        return ErrorBody(ErrorDetail(self.status, self.message, self.description), self.message)

    def headers(self) -> dict[str, str]:
        """The headers that belong to the status."""
        if self.status not in (429, 503):
            return {}
        return {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
