"""Which fetches were visits: those that used GET.

In: captures and requests, in the order of a crawl file. Out: the captures without the answers to
HEAD, OPTIONS, POST and the like, which do not show the page (RFC 9110, 9.3). A capture whose
request is not in the file counts as an answer to GET.

A request belongs to the answer for the same URI that names it in ``WARC-Concurrent-To``, or that it
names there. If neither names a record of the other kind, it belongs to the answer of the same date.
Crawlers write the two next to each other, in either order. An answer waits for its request until
`WAITING` more answers have come, or `WAITING_BYTES` of them. Of the requests that came without
their answer, the last `REMEMBERED` are kept.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from inlink.extract.captures import Capture, Request

WAITING = 1000
"""Maximum number of answers that wait for their requests."""

WAITING_BYTES = 16 << 20
"""Memory that they may take, roughly."""

REMEMBERED = 4000
"""Maximum number of requests that wait for their answers."""

_ANSWER_SIZE = 1000
_LINK_SIZE = 500


class _Answer(msgspec.Struct, eq=False):
    capture: Capture
    size: int
    """Bytes of memory, roughly."""
    request: Request | None = None


def asked_by_get(told: Iterable[Capture | Request]) -> Iterator[Capture]:
    """The captures in *told* that answer a GET, in order."""
    pairing = _Pairing()
    waiting: deque[_Answer] = deque()
    size = 0
    for each in told:
        if isinstance(each, Request):
            pairing.add_request(each)
        else:
            answer = _Answer(each, _size(each))
            pairing.add_answer(answer)
            waiting.append(answer)
            size += answer.size
        while waiting and (waiting[0].request or len(waiting) > WAITING or size > WAITING_BYTES):
            answer = waiting.popleft()
            size -= answer.size
            if pairing.is_get(answer):
                yield answer.capture
    for answer in waiting:
        if pairing.is_get(answer):
            yield answer.capture


def _size(capture: Capture) -> int:
    links = len(capture.page.links) if capture.page else 0
    return _ANSWER_SIZE + len(capture.body) + _LINK_SIZE * links


class _Pairing:
    """Which request belongs to which answer; those without a partner yet are kept by URI."""

    def __init__(self) -> None:
        self._answers: dict[str, deque[_Answer]] = {}
        self._requests: dict[str, deque[Request]] = {}
        self._remembered = 0

    def add_request(self, request: Request) -> None:
        """Give the request to its answer if that has come, else keep it."""
        answers = self._answers.get(request.uri, ())
        answer = next((each for each in answers if _is_bound(request, each)), None) or next(
            (each for each in answers if _is_of_same_date(request, each)), None
        )
        if answer is not None:
            answer.request = request
            self._forget_answer(answer)
            return
        self._requests.setdefault(request.uri, deque()).append(request)
        self._remembered += 1
        if self._remembered > REMEMBERED:
            self._forget_request(next(iter(self._requests.values()))[0])

    def add_answer(self, answer: _Answer) -> None:
        """Give the answer its request if that has come, else keep it."""
        uri = answer.capture.uri
        requests = self._requests.get(uri, ())
        request = next((each for each in requests if _is_bound(each, answer)), None) or next(
            (each for each in requests if _is_of_same_date(each, answer)), None
        )
        if request is None:
            self._answers.setdefault(uri, deque()).append(answer)
            return
        answer.request = request
        self._forget_request(request)

    def is_get(self, answer: _Answer) -> bool:
        """Whether the method was GET, as far as is known now; the answer is no longer kept."""
        if answer.request is None:
            self._forget_answer(answer)
            # The records that they name in WARC-Concurrent-To are not in the file.
            requests = self._requests.get(answer.capture.uri, ())
            same = (each for each in requests if each.time == answer.capture.time)
            answer.request = next(same, None)
            if answer.request is not None:
                self._forget_request(answer.request)
        return answer.request is None or answer.request.method == "GET"

    def _forget_answer(self, answer: _Answer) -> None:
        answers = self._answers[answer.capture.uri]
        answers.remove(answer)
        if not answers:
            del self._answers[answer.capture.uri]

    def _forget_request(self, request: Request) -> None:
        requests = self._requests[request.uri]
        requests.remove(request)
        self._remembered -= 1
        if not requests:
            del self._requests[request.uri]


def _is_bound(request: Request, answer: _Answer) -> bool:
    one, other = request.concurrent, answer.capture.concurrent
    return one.own in other.others or other.own in one.others


def _is_of_same_date(request: Request, answer: _Answer) -> bool:
    is_bound = request.concurrent.others or answer.capture.concurrent.others
    return not is_bound and request.time == answer.capture.time
