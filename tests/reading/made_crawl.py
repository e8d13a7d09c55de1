"""A crawl by chance, with what the public crawls have little of.

Few pages are visited often, and each visit picks one of the things a page can do: links come and
go, redirects and refreshes form chains and rings, canonicals move, fetches fail, revisits refer to
content of the page and of others, whose relative links lead elsewhere there. Answers are cut in
every way that there is, some in the copy of a whole one, and some are to other requests than a GET.
Visits are spread over the files in any order of time.
"""

import gzip
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import brotli  # type: ignore[import-untyped]
import zstandard
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

HOSTS = ("a.example", "www.a.example", "b.example", "sub.b.example", "c.co.uk", "d.edu", "e.gov")
PAGES = [f"http://{host}/{page}" for host in HOSTS for page in ("", "one", "two")]
OUTSIDE = [f"https://outside{number}.example/" for number in range(6)]
RELATIVE = ["/one", "two", "/%6fne", "?q=%7e%e4", "//www.a.example/two", "../", "x y#z", ""]
VISITS = 24
KINDS = {
    "page": 10,
    "redirect": 8,
    "revisit": 6,
    "unmodified": 2,
    "failed": 6,
    "noindex": 1,
    "until": 2,
    "canonical": 2,
    "refresh": 2,
    "missing": 1,
    "broken": 1,
    "other": 1,
    "partial": 1,
    "unknown": 1,
}
CUT = 0.2
"""The share of answers of which only a part is in the crawl."""

CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
_BROTLI = ("Content-Encoding", "br")
_START = datetime(2024, 1, 1, tzinfo=UTC)
_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)

Answer = tuple[str, list[tuple[str, str]], bytes]


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
        answer = self._coded((status, headers, body.encode()))
        if self.chance.random() < CUT and body:
            self._cut(writer, url, at, answer)
            return
        if self.chance.random() < 0.1 and body:
            self._segmented(writer, url, at, answer)
            return
        record = self._write(writer, url, at, answer)
        if kind not in ("failed", "unmodified"):
            digest = record.rec_headers.get_header("WARC-Payload-Digest")
            self.seen.append(_Seen(url, digest, answer[0], answer[1]))
        if self.chance.random() < 0.1:
            self._cut(writer, url, at, answer)
        if self.chance.random() < 0.05:
            self._write(writer, url, _FUTURE, answer)

    def other_method(self, writer: WARCWriter, url: str, at: datetime) -> None:
        """The answer to a request that is no GET, and the request, in any order."""
        method = self.chance.choice(["HEAD", "POST", "OPTIONS"])
        status, headers, body = self._page(url)
        answer = status, headers, b"" if method == "HEAD" else body.encode()
        named, before = self.chance.random() < 0.5, self.chance.random() < 0.5
        identity = f"<urn:uuid:{UUID(int=self.chance.getrandbits(128))}>"
        if before:
            self._request(writer, url, at, method, identity if named else None)
        self._write(writer, url, at, answer, {"WARC-Record-ID": identity})
        if not before:
            self._request(writer, url, at, method, identity if named else None)

    def _request(
        self, writer: WARCWriter, url: str, at: datetime, method: str, answer: str | None
    ) -> None:
        """One that does not name its answer has its date."""
        extra = {"WARC-Concurrent-To": answer} if answer else {}
        at = at + timedelta(seconds=1) if answer else at
        record = writer.create_warc_record(
            url,
            "request",
            payload=BytesIO(),
            http_headers=StatusAndHeaders(f"{method} / HTTP/1.1", [], is_http_request=True),
            warc_headers_dict={**self._headers(at), **extra},
        )
        writer.write_record(record)

    def _write(
        self,
        writer: WARCWriter,
        url: str,
        at: datetime,
        answer: Answer,
        more: dict[str, str] | None = None,
    ) -> ArcWarcRecord:
        status, headers, body = answer
        record = writer.create_warc_record(
            url,
            "response",
            payload=BytesIO(body),
            http_headers=StatusAndHeaders(status, headers, protocol="HTTP/1.1"),
            warc_headers_dict={**self._headers(at), **(more or {})},
        )
        writer.write_record(record)
        return record

    def _coded(self, answer: Answer) -> Answer:
        """The answer in some coding, chunked, or with its length, or with none of these."""
        status, headers, body = answer
        headers = list(headers)
        if self.chance.random() < 0.4 and body:
            coding = self.chance.choice(list(CODINGS))
            body = CODINGS[coding](body)
            transfer = coding in ("gzip", "deflate") and self.chance.random() < 0.5
            if transfer:
                headers.append(("Transfer-Encoding", f"{coding}, chunked"))
                return status, headers, self._chunked(body)
            headers.append(("Content-Encoding", coding))
        framing = self.chance.choice(["length", "chunks", ""])
        if framing == "length":
            headers.append(("Content-Length", str(len(body))))
        if framing == "chunks":
            headers.append(("Transfer-Encoding", "chunked"))
            body = self._chunked(body)
        return status, headers, body

    def _chunked(self, body: bytes) -> bytes:
        size = self.chance.randrange(10, 200)
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in [*chunks, b""])

    def _cut(self, writer: WARCWriter, url: str, at: datetime, answer: Answer) -> None:
        """The beginning of an answer, and a header that says so where nothing else does.

        How much of a part is decoded is left to the decoders: with Brotli, theirs differ.
        """
        status, headers, body = answer
        if _BROTLI in headers:
            body = body[:2]
        kept = body[: self.chance.randrange(len(body) // 2, max(len(body), 1))] if body else body
        shows = {"Content-Length", "Transfer-Encoding", "Content-Encoding"}
        tells = not kept or not shows & {name for name, _ in headers}
        reason = self.chance.choice(["length", "time", "disconnect", "unspecified"])
        more = {"WARC-Truncated": reason} if tells or self.chance.random() < 0.3 else {}
        self._write(writer, url, at, (status, headers, kept), more)

    def _segmented(self, writer: WARCWriter, url: str, at: datetime, answer: Answer) -> None:
        """An answer in three records, the last of which may be lacking (WARC 1.1, 8)."""
        status, headers, body = answer
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        block = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        identity = f"<urn:uuid:{UUID(int=self.chance.getrandbits(128))}>"
        middle, third = sorted(self.chance.choices(range(len(block) - len(body), len(block)), k=2))
        segments = [block[:middle], block[middle:third], block[third:]]
        for number, segment in enumerate(segments, 1):
            fields = {
                "WARC-Type": "response" if number == 1 else "continuation",
                "WARC-Record-ID": identity
                if number == 1
                else f"<urn:uuid:{UUID(int=self.chance.getrandbits(128))}>",
                "WARC-Target-URI": url,
                **self._headers(at),
                "WARC-Segment-Number": str(number),
                "Content-Length": str(len(segment)),
            }
            if number == 1:
                fields["Content-Type"] = "application/http; msgtype=response"
            else:
                fields["WARC-Segment-Origin-ID"] = identity
            if number == len(segments):
                fields["WARC-Segment-Total-Length"] = str(len(block))
                if self.chance.random() < 0.3 and _BROTLI not in headers:
                    return
            head = "WARC/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in fields.items())
            writer.out.write(
                gzip.compress(head.encode() + b"\r\n" + segment + b"\r\n\r\n", mtime=0)
            )

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
        targets = self.chance.sample(PAGES + OUTSIDE + RELATIVE, self.chance.randrange(8))
        links = "".join(map(self._link, targets))
        title = f"<title>{url} {self.chance.randrange(9)}</title>"
        base = self.chance.choice(["", "", "", "<base href=/dir/>", "<base href=//b.example/d/>"])
        page = f"<head>{title}{base}{head}</head><body>{links}<p>The end of the page."
        return "200 OK", [("Content-Type", "text/html")], page

    def _link(self, target: str) -> str:
        inside = self.chance.choice(
            ["word", "<img src=/i.png alt=picture>", "w<img src=j.png>", "", "a<br>b<div>c</div>d"]
        )
        rel = self.chance.choice(["", " rel=nofollow", " rel='me,NoFollow'"])
        again = f"<a href='{target}'>again</a>" if self.chance.random() < 0.3 else ""
        return f"<a href='{target}'{rel}>{inside}</a>{again}"

    def _noindex(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        canonical = f"<link rel=canonical href={self.chance.choice([url, *PAGES])}>"
        return self._page(url, "<meta name=robots content='noindex, nofollow'>" + canonical)

    def _until(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        """A page that is not to be indexed from some day of the crawl on."""
        day = _START + timedelta(days=self.chance.randrange(110), seconds=7)
        written = self.chance.choice([f"{day:%d %b %Y %H:%M:%S} GMT", day.isoformat()])
        return self._page(url, f"<meta name=robots content='unavailable_after: {written}'>")

    def _canonical(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        named = self.chance.choice([*PAGES, "/", "/%74wo", "two"])
        return self._page(url, f"<link rel=canonical href={named}>")

    def _refresh(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        """Seconds by chance: those of more than ten are no redirect."""
        seconds = self.chance.choice([0, 1, 5, 10, 11, 300])
        written = f"{seconds}; url={self.chance.choice([*OUTSIDE, '/next', 'https:next'])}"
        if self.chance.random() < 0.5:
            status, headers, body = self._page(url)
            return status, [*headers, ("Refresh", written)], body
        return self._page(url, f"<meta http-equiv=Refresh content='{written}'>")

    def _partial(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        _, headers, body = self._page(url)
        return "206 Partial Content", headers, body

    def _unknown(self, url: str) -> tuple[str, list[tuple[str, str]], str]:
        status, headers, body = self._page(url)
        return status, [*headers, ("Content-Encoding", "dcz")], body

    def _unmodified(self, _: str) -> tuple[str, list[tuple[str, str]], str]:
        return "304 Not Modified", [("ETag", '"x"')], ""

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
        writer = maker.chance.choice(writers)
        if maker.chance.random() < 0.05:
            maker.other_method(writer, url, at)
        else:
            maker.visit(writer, url, at)
    for stream in streams:
        stream.close()
    return paths


def _plan(chance: random.Random) -> Iterator[tuple[str, datetime]]:
    """Who is visited when: every page about as often, no two whole visits at one instant."""
    visits = PAGES * VISITS
    chance.shuffle(visits)
    for number, url in enumerate(visits):
        yield url, _START + timedelta(hours=5 * number)
