"""The format of segments: its version, the contents of ``segments.json``, the names of the files.

docs/segments.md describes every file and column.
"""

import datetime as dt
from pathlib import Path
from typing import get_args

import msgspec

from inlink.contract.outcomes import ANCHORED, Element, ReasonLost
from inlink.store.versions import SEGMENT_FORMAT

NOFOLLOW = 1
IMAGE = 2
REDIRECT = 4
ELEMENT_SHIFT = 3
HOME = 32
"""Bits of a link's ``flags``; from `ELEMENT_SHIFT` on, two for the place of its element in
`ELEMENTS`. `HOME`: the source is the home page of its host."""

ELEMENTS: tuple[Element, ...] = (*ANCHORED, "canonical", "location")

REASONS: tuple[ReasonLost, ...] = get_args(ReasonLost)[1:]
"""Why a link was lost; the column ``reason`` is a place in this tuple."""


class SegmentsError(ValueError):
    """The segments cannot be read by this version; the message says why and what to do."""


class PartitionCounts(msgspec.Struct, frozen=True):
    """How many rows each file of one partition has."""

    links: int
    lost: int
    link_images: int
    lost_images: int
    targets: int
    pages: int
    ips: int
    hosts: int
    tlds: int
    domain_names: int
    domains: int
    anchors: int
    image_sources: int
    past_ranks: int
    past_domain_ranks: int
    places: int
    batch_names: int
    summaries: int


class SegmentCounts(msgspec.Struct, frozen=True):
    """``segments.json``."""

    format: int
    rank_days: tuple[dt.date, ...]
    """Days for which ranks were published, ascending."""
    partitions: tuple[PartitionCounts, ...]


class _Version(msgspec.Struct):
    format: int


def partition_directory(segments: Path, number: int) -> Path:
    """The directory of partition *number*."""
    return segments / f"p{number:04d}"


def save(segments: Path, counts: SegmentCounts) -> None:
    """Write ``segments.json``."""
    content = msgspec.json.format(msgspec.json.encode(counts)) + b"\n"
    (segments / "segments.json").write_bytes(content)


def load(segments: Path) -> SegmentCounts:
    """Read ``segments.json``.

    Raises:
        SegmentsError: it is damaged, or has another format version.
    """
    path = segments / "segments.json"
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=_Version).format
        if found == SEGMENT_FORMAT:
            return msgspec.json.decode(content, type=SegmentCounts)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        raise SegmentsError(f"{path}: {error}. `inlink build` writes new segments.") from error
    raise SegmentsError(
        f"{path} has format {found}, but this version of Inlink reads format {SEGMENT_FORMAT}."
        " `inlink build` writes new segments."
    )
