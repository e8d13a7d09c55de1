"""The guard against getting slower: ratios to the limit, against those of an earlier quick run.

A ratio to what the same libraries do at the least, measured in the same run, says little of the
machine and much of the code. ``guard.json`` has the ratios that were recorded; a quick run fails
where a case has less than `SHARE` of its own. ``--record`` writes those of the run anew: after a
gain, so that it is held, or after a loss that was decided, so that the change is seen.
"""

import statistics
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench.harness import Measurement, by_case, own_of, ratios

RECORDED = Path(__file__).with_name("guard.json")
SHARE = 0.7
"""Less than this share of the recorded ratio is a loss, not noise."""


def to_limit(measurements: Iterable[Measurement]) -> dict[str, float]:
    """How near Inlink comes to the limit in each case that has one: 1 is as good as the limit."""
    found = {}
    for case, contenders in by_case(measurements).items():
        own = own_of(contenders)
        limits = [each for each in contenders if each.kind == "limit"]
        if own is not None and limits:
            found[case] = min(statistics.median(ratios(own, limit)) for limit in limits)
    return found


def losses(measured: dict[str, float]) -> list[str]:
    """What is to be said of each case that came too far below its recorded ratio."""
    recorded = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, float])
    return [
        f"{case}: {measured[case]:.3f} of the limit, where {ratio:.3f} was recorded"
        for case, ratio in recorded.items()
        if case in measured and measured[case] < SHARE * ratio
    ]


def record(measured: dict[str, float]) -> None:
    """Make *measured* what later runs are held against; cases that were not run stay."""
    recorded: dict[str, float] = {}
    if RECORDED.exists():
        recorded = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, float])
    recorded |= {case: round(ratio, 4) for case, ratio in measured.items()}
    content = msgspec.json.encode(dict(sorted(recorded.items())))
    RECORDED.write_bytes(msgspec.json.format(content) + b"\n")
