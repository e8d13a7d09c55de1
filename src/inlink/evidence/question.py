"""The question that a server passes to a process that makes a live check."""

import msgspec


class Question(msgspec.Struct, frozen=True):
    """The input of a process that makes a live check."""

    data: str
    """The data directory, whose settings apply."""
    folder: str
    """An empty directory for the files of the check."""
    seconds: int
    """How long it may take at most."""
    url_from: str
    url_to: str
