"""The live check: fetch the page now, with the crawler and its policy, and look for the link.

In: the URLs of a page and of a link. Out: whether the link is there. The page is handled like any
other: the crawler writes WARC, and the extractor reads it.

As a program (``main``), it reads the question from stdin and writes the answer to stdout, as JSON,
so that a server can run checks in processes that it can stop. It writes a line end before the
answer, as soon as it has started. If its server dies, it stops on its own.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from inlink.contract.outcomes import SILENT
from inlink.contract.proof import Check
from inlink.contract.vocabulary import Result
from inlink.crawl.errors import CrawlError, internal_error
from inlink.crawl.job import crawl
from inlink.crawl.spec import CrawlSpec
from inlink.evidence.finding import Finding, find_link
from inlink.evidence.question import Question
from inlink.evidence.records import capture_from
from inlink.extract.captures import Capture, written_time
from inlink.store.configuration import Settings, load_settings
from inlink.store.layout import Layout
from inlink.urls.canonical import canonical_url
from inlink.web.problems import Problems
from inlink.web.records import read_records
from inlink.web.source import HashingFile


class CheckError(ValueError):
    """The check cannot be made; the message says why, and what would be valid."""


def check(url_from: str, url_to: str, settings: Settings, folder: Path) -> Check:
    """Fetch *url_from* now, into *folder*, and look for a link to *url_to*.

    Raises:
        CheckError: one of the two is not an http or https URL, or nothing was fetched.
        CrawlError: the settings do not let the crawler fetch the page.
    """
    page, target = _checked(url_from, settings), _checked(url_to, settings)
    spec = CrawlSpec(name="check", seeds=(page,), max_pages=1, depth=0)
    summary = crawl(spec, Layout(folder), settings)
    for capture in _captures(summary.files):
        if canonical_url(capture.uri, drop_parameters=settings.drop_parameters) != page:
            continue
        capture, finding = _found(capture, page, target, settings)
        if finding is not None:
            return _reported(page, target, capture, finding)
    raise CheckError(f"{page} was not fetched: {dict(summary.outcomes)}.")


def _checked(text: str, settings: Settings) -> str:
    url = canonical_url(text, drop_parameters=settings.drop_parameters)
    if url is None:
        raise CheckError(f"{text!r} is not an http or https URL such as https://www.example.com/.")
    return url


def _captures(files: tuple[str, ...]) -> Iterator[Capture]:
    for path in files:
        with HashingFile(path) as file:
            for record in read_records(file, Problems()):
                capture = capture_from(record)
                if capture is not None:
                    yield capture


def _found(
    capture: Capture, page: str, target: str, settings: Settings
) -> tuple[Capture, Finding | None]:
    """What *capture* shows about the link; if it cannot be read, the check failed."""
    try:
        return capture, find_link(capture, page, target, settings)
    except Exception as error:
        cause = internal_error(capture.uri, error).cause
    failed = msgspec.structs.replace(capture, kind="failure", failure=cause, fields=(), body=b"")
    return failed, find_link(failed, page, target, settings)


def _reported(page: str, target: str, capture: Capture, finding: Finding) -> Check:
    result: Result = "there" if finding.counts else "not_there"
    if finding.outcome in SILENT or not (finding.counts or finding.complete):
        result = "not_checked"
    return Check(
        url_from=page,
        url_to=target,
        result=result,
        checked_at=written_time(capture.time),
        outcome=finding.outcome,
        failure=capture.failure,
        status=finding.status,
        ip=capture.ip,
        robots=finding.robots,
        canonical_url=finding.canonical_url,
        redirect_url=finding.redirect_url,
        occurrences=finding.occurrences,
    )


def main() -> None:
    """Read the question from stdin and write its answer to stdout."""
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    signal.alarm(question.seconds)
    settings = load_settings(Path(question.data))
    try:
        found = check(question.url_from, question.url_to, settings, Path(question.folder))
    except (CheckError, CrawlError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found))
