"""What segments are: their format version, what ``segments.json`` says, and the names of the files.

docs/segments.md describes every file and column.
"""

from pathlib import Path

import msgspec

FORMAT = 1
"""Raised whenever a file or column changes its meaning; a reader refuses any other."""

NOFOLLOW = 1
IMAGE = 2
REDIRECT = 4
ELEMENT_SHIFT = 3
"""Bits of a link's ``flags``; from the last on, the place of its element in `ELEMENTS`."""

ELEMENTS = ("a", "area", "canonical", "location")

EDU = 1
GOV = 2
"""Values of a host's ``tld``; 0 is any other."""


class SegmentsError(ValueError):
    """The segments cannot be read by this version; the message says why and what to do."""


class PartitionCounts(msgspec.Struct, frozen=True):
    """How many rows each file of one partition has."""

    links: int
    targets: int
    pages: int
    hosts: int
    domains: int
    anchors: int
    image_sources: int
    summaries: int


class SegmentCounts(msgspec.Struct, frozen=True):
    """``segments.json``."""

    format: int
    partitions: tuple[PartitionCounts, ...]


class _Version(msgspec.Struct):
    format: int


def partition_directory(segments: Path, number: int) -> Path:
    """Where partition *number* lies."""
    return segments / f"p{number:04d}"


def save(segments: Path, counts: SegmentCounts) -> None:
    """Write ``segments.json``."""
    content = msgspec.json.format(msgspec.json.encode(counts)) + b"\n"
    (segments / "segments.json").write_bytes(content)


def load(segments: Path) -> SegmentCounts:
    """Read ``segments.json``.

    Raises:
        SegmentsError: it is damaged, or of another format version.
    """
    path = segments / "segments.json"
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=_Version).format
        if found == FORMAT:
            return msgspec.json.decode(content, type=SegmentCounts)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        raise SegmentsError(f"{path}: {error}. `inlink build` makes segments anew.") from error
    raise SegmentsError(
        f"{path} has format {found}, this version of inlink reads format {FORMAT}."
        " `inlink build` makes segments anew."
    )
