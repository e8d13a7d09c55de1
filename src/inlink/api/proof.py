"""The commands about one backlink: what proves it, and whether it is still there.

In: a `Call` with a page and a URL. Out: the answer of its command. What the index knows of the link
is looked up first, so nothing is read or fetched for links that it does not know.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from inlink.api.call import Call
from inlink.api.checks import CheckFailedError, ChecksBusyError, CheckTimeoutError
from inlink.contract.answers import EvidenceAnswer, EvidenceRecord, RecordFile
from inlink.contract.errors import ApiError
from inlink.contract.proof import Check
from inlink.contract.requests import ProofRequest
from inlink.evidence.finding import Finding, find_link
from inlink.evidence.records import Evidence, RecordGoneError, read_record, recorded
from inlink.extract.captures import written_time
from inlink.index.pairs import PairLink, Place

KEY_PACE, KEY_BURST = 1.0, 10
"""Seconds from one live check with a key to the next, and how many may come at once."""

HOST_PACE = 10.0
"""Seconds from one live check of a host's pages to the next."""

WARC, ARC = "application/warc", "application/x-arc"

_NOT_IN_NAMES = re.compile(r"[^\w.-]", re.ASCII)

logger = logging.getLogger(__name__)

ProofCall = Call[ProofRequest]
Hop = tuple[Evidence, Finding]


def get_evidence(call: ProofCall) -> EvidenceAnswer:
    """The record that proves a backlink, and where the link stands in it."""
    link = _known(call)
    hops = _proof(call, link)
    places = call.reader.page_places(link.url_from)
    evidence, _ = hops[0]
    _, finding = hops[-1]
    return EvidenceAnswer(
        url_from=link.url_from,
        url_to=link.url_to,
        link_type=link.link_type,
        live=link.lost is None,
        first_seen=link.first_seen,
        lost=link.lost,
        reason_lost=link.reason_lost,
        outcome=hops[0][1].outcome,
        page_text=evidence.capture.page is None,
        occurrences=finding.occurrences,
        records=[_told(hop) for hop, _ in hops],
        last_visit=_last_visit(call, places.last if places else ()),
    )


def get_record(call: ProofCall) -> RecordFile:
    """That record itself."""
    (evidence, _), *_ = _proof(call, _known(call))
    is_arc = "warc-type" not in evidence.record.headers
    place = evidence.recorded
    name = _NOT_IN_NAMES.sub("_", place.file.rpartition("/")[2])
    name = f"{name}-{place.offset}.{'arc' if is_arc else 'warc'}"
    return RecordFile(evidence.content, ARC if is_arc else WARC, name)


def _known(call: ProofCall) -> PairLink:
    """The backlink that is asked about.

    Raises:
        ApiError: 404, the index has none.
    """
    page, target = call.targets
    links = call.reader.links_between(page, target)
    if not links:
        raise ApiError(
            404, f"The index has no backlink from {call.texts[0]} to {call.texts[1]}, live or lost."
        )
    return links[0]


def _proof(call: ProofCall, link: PairLink) -> list[Hop]:
    """The record of the page, and those of the other hops if it is the first of a redirect chain.

    Raises:
        ApiError: 404, the last content of the page does not have the link; 410, it cannot be read.
    """
    hops: list[Hop] = []
    for hop in _hops(call, link):
        hops.append(hop)
        if hop[1].occurrences:
            return hops
    if link.lost is None:
        said = "The record of the page's content does not contain this link."
    else:
        said = (
            f"This backlink is not live: it was lost on {link.lost} ({link.reason_lost}), and the"
            " last content of the page does not contain it."
        )
    raise ApiError(404, said)


def _hops(call: ProofCall, link: PairLink) -> Iterator[Hop]:
    """The page, then where it redirects to, and so on."""
    url = link.url_from
    for _ in range(call.resources.settings.redirect_hops + 1):
        places = call.reader.page_places(url)
        hop = _best(_findings(call, places.content, url, link.url_to)) if places else None
        if hop is None:
            return
        yield hop
        following = hop[1].redirect_url
        if link.link_type != "redirect" or following is None:
            return
        url = following


def _findings(
    call: ProofCall, places: Sequence[Place], url_from: str, url_to: str
) -> Iterator[Hop]:
    """What each of the records of one content says of a link."""
    for evidence in _readable(call, places):
        finding = find_link(evidence.capture, url_from, url_to, call.resources.settings)
        if finding is not None:
            yield evidence, finding


def _best(hops: Iterable[Hop]) -> Hop | None:
    """The first that has the link in a WARC or ARC record; else in WAT; else the first at all."""
    best: Hop | None = None
    for hop in hops:
        if best is None or _worth(hop) > _worth(best):
            best = hop
        if all(_worth(best)):
            break
    return best


def _worth(hop: Hop) -> tuple[bool, bool]:
    evidence, finding = hop
    return bool(finding.occurrences), evidence.capture.page is None


def _readable(call: ProofCall, places: Sequence[Place]) -> Iterator[Evidence]:
    """The records of one content that can still be read.

    Raises:
        ApiError: 410, none can.
    """
    gone: RecordGoneError | None = None
    found = False
    for place in places:
        try:
            known = recorded(call.resources.layout, place.batch, place.row)
            evidence = read_record(known, call.resources.settings.drop_parameters)
        except RecordGoneError as error:
            gone = gone or error
            continue
        found = True
        yield evidence
    if gone and not found:
        raise ApiError(410, str(gone)) from gone


def _last_visit(call: ProofCall, places: Sequence[Place]) -> EvidenceRecord | None:
    """The record of the last visit; a WAT record says as much about it as a WARC record."""
    evidence = next(_readable(call, places), None)
    return None if evidence is None else _told(evidence)


def _told(evidence: Evidence) -> EvidenceRecord:
    capture = evidence.capture
    return EvidenceRecord(
        file=evidence.recorded.file,
        offset=evidence.recorded.offset,
        type=evidence.record.type,
        id=evidence.record.headers.get("warc-record-id"),
        url=capture.uri,
        date=written_time(capture.time),
        status=capture.status,
        digest=capture.digest,
    )


def verify(call: ProofCall) -> Check:
    """Whether the link is there now."""
    if not call.key.may_verify:
        raise ApiError(403, "This API key may not request live checks.")
    link = _known(call)
    left = call.resources.keys.units_left(call.key.id)
    if left is not None and left < call.price:
        raise ApiError(402, f"This answer costs {call.price:,} units, more than are left.")
    _wait_for_turn(call, f"verify key {call.key.id}", KEY_PACE, KEY_BURST)
    _wait_for_turn(call, f"verify host {urlsplit(link.url_from).hostname}", HOST_PACE, 1)
    checks = call.resources.checks
    try:
        return checks.check(link.url_from, link.url_to)
    except ChecksBusyError:
        raise ApiError(503, "The maximum number of live checks is already running.") from None
    except CheckTimeoutError:
        raise ApiError(
            504, f"{link.url_from} did not answer within {checks.longest:g} seconds."
        ) from None
    except CheckFailedError as error:
        logger.error("The live check of %s failed: %s", link.url_from, error)
        raise ApiError(500, "The live check failed; see the server's log.") from error


def _wait_for_turn(call: ProofCall, subject: str, pace: float, burst: int) -> None:
    wait = call.resources.limits.take_pace(subject, pace, burst)
    if wait > 0:
        what = "key" if " key " in subject else "host"
        raise ApiError(
            429, f"A {what} allows one live check every {pace:g} seconds.", retry_after=wait
        )
