"""A crawl by chance, with what the public crawls have little of.

Few pages are visited often, and each visit picks one of the things a page can do: links come and
go, redirects form chains and rings, canonicals move, fetches fail, revisits refer to content of
the page and of others. Visits are spread over the files in any order of time.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

HOSTS = ("a.example", "www.a.example", "b.example", "sub.b.example", "c.co.uk", "d.edu", "e.gov")
PAGES = [f"http://{host}/{page}" for host in HOSTS for page in ("", "one", "two")]
OUTSIDE = [f"https://outside{number}.example/" for number in range(6)]
VISITS = 20
KINDS = {
    "page": 8,
    "redirect": 8,
    "revisit": 5,
    "failed": 6,
    "noindex": 1,
    "canonical": 2,
    "missing": 1,
    "broken": 1,
    "other": 1,
}
_START = datetime(2024, 1, 1, tzinfo=UTC)


class _Writer(WARCWriter):  # type: ignore[misc]
    """Buffers records in memory: warcio leaves temporary files for the collector to close."""

    _create_temp_file = BytesIO


class _Seen(NamedTuple):
    """A response that revisits may refer to."""

    url: str
    digest: str
    status: str
    headers: list[tuple[str, str]]


@dataclass(slots=True)
class _Maker:
    chance: random.Random
    seen: list[_Seen] = field(default_factory=list)

    def visit(self, writer: WARCWriter, url: str, at: datetime) -> None:
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0]
        if kind == "revisit" and not self.seen:
            kind = "page"
        if kind == "revisit":
            self._revisit(writer, url, at)
            return
        status, headers, body = getattr(self, "_" + kind)(url)
        record = writer.create_warc_record(
            url,
            "response",
            payload=BytesIO(body.encode()),
            http_headers=StatusAndHeaders(status, headers, protocol="HTTP/1.1"),
            warc_headers_dict=self._headers(at),
        )
        writer.write_record(record)
        if kind != "failed":
            digest = record.rec_headers.get_header("WARC-Payload-Digest")
            self.seen.append(_Seen(url, digest, status, headers))

    def _revisit(self, writer: WARCWriter, url: str, at: datetime) -> None:
        """Most revisits carry the headers of the response, as WARC 1.1 (6.7.2) recommends.

        One without them says nothing of status and ``Location``, so it refers to a page here.
        """
        own = [seen for seen in self.seen if seen.url == url and self.chance.random() < 0.8]
        original = self.chance.choice(own or self.seen)
        http = StatusAndHeaders(original.status, original.headers, protocol="HTTP/1.1")
        bare = original.status == "200 OK" and self.chance.random() < 0.5
        record = writer.create_revisit_record(
            url,
            original.digest,
            original.url,
            "2024-01-01T00:00:00Z",
            http_headers=None if bare else http,
            warc_headers_dict=self._headers(at),
        )
        writer.write_record(record)

    def _headers(self, at: datetime) -> dict[str, str]:
        address = f"10.0.{self.chance.randrange(2)}.{self.chance.randrange(4)}"
        return {"WARC-Date": f"{at:%Y-%m-%dT%H:%M:%SZ}", "WARC-IP-Address": address}

    def _page(self, url: str, head: str = "") -> tuple[str, list[tuple[str, str]], str]:
        targets = self.chance.sample(PAGES + OUTSIDE, self.chance.randrange(6))
        links = "".join(map(self._link, targets))
        title = f"<title>{url} {self.chance.randrange(9)}</title>"
        return "200 OK", [("Content-Type", "text/html")], f"{title}{head}<body>{links}"

    def _link(self, target: str) -> str:
        inside = self.chance.choice(
            ["word", "<img src=/i.png alt=picture>", "w<img src=/j.png>", ""]
        )
        rel = self.chance.choice(["", " rel=nofollow", " rel='me NoFollow'"])
        again = f"<a href={target}>again</a>" if self.chance.random() < 0.3 else ""
        return f"<a href={target}{rel}>{inside}</a>{again}"

    def _noindex(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        canonical = f"<link rel=canonical href={self.chance.choice([url, *PAGES])}>"
        return self._page(url, "<meta name=robots content='noindex, nofollow'>" + canonical)

    def _canonical(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        return self._page(url, f"<link rel=canonical href={self.chance.choice(PAGES)}>")

    def _redirect(self, _: str) -> tuple[str, list[tuple[str, str]], str]:
        target = self.chance.choice(PAGES + OUTSIDE)
        return "302 Found", [("Location", target)], f"to {target}"

    def _failed(self, _: str) -> tuple[str, list[tuple[str, str]], str]:
        return "503 Busy", [("Content-Type", "text/html")], f"busy {self.chance.random()}"

    def _missing(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        status = self.chance.choice(["404 Not Found", "410 Gone"])
        return status, [("Content-Type", "text/html")], f"no {url}"

    def _broken(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        location = self.chance.choice([[], [("Location", "mailto:x@a.example")]])
        return "301 Moved", location, f"moved {url}"

    def _other(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        return "200 OK", [("Content-Type", "text/plain")], f"plain {url}"


def make(folder: Path, seed: int, files: int = 3) -> list[Path]:
    """Write the crawl of a seed into `folder`; returns its files."""
    maker = _Maker(random.Random(seed))
    paths = [folder / f"made-{seed}-{number}.warc.gz" for number in range(files)]
    streams = [path.open("wb") for path in paths]
    writers = [_Writer(stream, gzip=True) for stream in streams]
    for url, at in _plan(maker.chance):
        maker.visit(maker.chance.choice(writers), url, at)
    for stream in streams:
        stream.close()
    return paths


def _plan(chance: random.Random) -> Iterator[tuple[str, datetime]]:
    """Who is visited when: every page about as often, no two visits at one instant."""
    visits = PAGES * VISITS
    chance.shuffle(visits)
    for number, url in enumerate(visits):
        yield url, _START + timedelta(hours=5 * number)
