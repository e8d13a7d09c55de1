"""What a process that makes a live check is asked, by whoever started it."""

import msgspec


class Question(msgspec.Struct, frozen=True):
    """What a process that makes a live check is asked."""

    data: str
    """The data directory, whose settings hold."""
    folder: str
    """Where what is fetched may lie meanwhile: a directory that is empty."""
    seconds: int
    """How long it may take at most."""
    url_from: str
    url_to: str
