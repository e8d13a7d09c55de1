"""The demo web as WARC files with the dates of its story, one file for each crawl, by warcio.

The demo itself crawls its web, which takes seconds; these files hold the index to the dates of a
story that goes on for months. They are the same bytes every time.
"""

import http
import uuid
from datetime import datetime
from io import BytesIO
from pathlib import Path

from demo.model import CRAWLS, Answer, Visit, Web
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter


def write_crawls(web: Web, directory: Path) -> list[Path]:
    """Write one WARC file for each crawl into *directory*, made if need be; the files in order."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for begin, visits in zip(CRAWLS, web.visits, strict=True):
        path = directory / f"demo-{begin:%Y-%m}.warc.gz"
        with path.open("wb") as file:
            writer = WARCWriter(file, gzip=True, warc_version="1.1")
            writer.write_record(_warcinfo(writer, path.name, begin))
            for visit in sorted(visits, key=lambda visit: visit.at):
                writer.write_record(_record(writer, visit))
        files.append(path)
    return files


def _warcinfo(writer: WARCWriter, name: str, begin: datetime) -> ArcWarcRecord:
    content = b"software: the demo of Inlink\r\nformat: WARC File Format 1.1\r\n"
    headers = {**_headers("warcinfo", name, begin), "WARC-Filename": name}
    return writer.create_warc_record(
        "", "warcinfo", payload=BytesIO(content), length=len(content), warc_headers_dict=headers
    )


def _record(writer: WARCWriter, visit: Visit) -> ArcWarcRecord:
    headers = _headers("visit", visit.url, visit.at)
    if visit.failure is not None:
        content = f"fetchError: {visit.failure}\r\n".encode()
        return writer.create_warc_record(
            visit.url,
            "metadata",
            payload=BytesIO(content),
            length=len(content),
            warc_content_type="application/warc-fields",
            warc_headers_dict=headers,
        )
    headers["WARC-IP-Address"] = visit.ip
    if visit.repeats is not None:
        return _revisit(writer, visit, visit.repeats, headers)
    assert visit.answer is not None
    return _response(writer, visit.url, visit.answer, headers)


def _response(
    writer: WARCWriter, url: str, answer: Answer, headers: dict[str, str]
) -> ArcWarcRecord:
    return writer.create_warc_record(
        url,
        "response",
        payload=BytesIO(answer.body),
        length=len(answer.body),
        http_headers=_http(answer),
        warc_headers_dict=headers,
    )


def _revisit(
    writer: WARCWriter, visit: Visit, repeated: Visit, headers: dict[str, str]
) -> ArcWarcRecord:
    assert repeated.answer is not None
    original = _response(writer, repeated.url, repeated.answer, {"WARC-Date": _date(repeated.at)})
    return writer.create_revisit_record(
        visit.url,
        original.rec_headers.get_header("WARC-Payload-Digest"),
        repeated.url,
        _date(repeated.at),
        http_headers=_http(repeated.answer),
        warc_headers_dict=headers,
    )


def _http(answer: Answer) -> StatusAndHeaders:
    status = f"{answer.status} {http.HTTPStatus(answer.status).phrase}"
    fields = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    return StatusAndHeaders(status, fields, protocol="HTTP/1.1")


def _headers(kind: str, name: str, at: datetime) -> dict[str, str]:
    """Date and identity of a record: the same in every run."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {name} {_date(at)}")
    return {"WARC-Date": _date(at), "WARC-Record-ID": f"<urn:uuid:{identity}>"}


def _date(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
