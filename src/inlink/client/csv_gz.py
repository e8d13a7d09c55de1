"""Read backlinks from the bytes of an export file; `inlink.exports.csv_gz` writes such files.

In: the bytes of a gzip-compressed CSV file, in pieces of any size. Out: rows, as soon as they are
complete; no more than one piece is held at a time. Columns are found by their names in the header;
unknown columns are ignored. The apostrophe before a text that a spreadsheet would run as a formula
is removed, so that the rows are those of get-raw-backlinks. (A text that really begins with an
apostrophe and such a character loses its apostrophe too: the file does not distinguish the two.)
"""

import codecs
import csv
import datetime as dt
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from inlink.client.decode import empty_values
from inlink.client.errors import unexpected
from inlink.contract.export_file import FORMULA_STARTS, GZIP_WINDOW
from inlink.contract.rows import Backlink

PIECE = 1 << 18  # bytes that are decompressed at a time
MAX_RECORD = 1 << 20  # characters; without it, a quote that is never closed would fill the memory

Record = list[str]


class CsvGz:
    """One file that is being read."""

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(GZIP_WINDOW)
        self._text = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest = ""
        self._columns: list[_Column] | None = None

    def feed(self, data: bytes) -> Iterator[list[Backlink]]:
        """The rows that *data* completes.

        Raises:
            ClientError: this is not an export file.
        """
        try:
            for piece in self._decompressed(data):
                if rows := self._rows(self._complete(self._text.decode(piece))):
                    yield rows
        except (zlib.error, csv.Error, ValueError) as error:  # ValueError: Unicode and msgspec
            raise unexpected("The export file", str(error)) from error

    def end(self) -> list[Backlink]:
        """The last row, if no line break ends it.

        Raises:
            ClientError: the file is cut off.
        """
        if not self._gzip.eof:
            raise unexpected("The export file", "it is cut off")
        last = list(csv.reader([self._rest])) if self._rest else []
        rows = self._rows(last)
        if self._columns is None:
            raise unexpected("The export file", "it is empty and has no header")
        return rows

    def _decompressed(self, data: bytes) -> Iterator[bytes]:
        """Decompress *data*; a gzip file may have several members (RFC 1952, 2.2)."""
        while data:
            if self._gzip.eof:
                self._gzip = zlib.decompressobj(GZIP_WINDOW)
            yield self._gzip.decompress(data, PIECE)
            data = self._gzip.unconsumed_tail or self._gzip.unused_data

    def _complete(self, text: str) -> list[Record]:
        """The records that end in *text*. A record ends where a line ends outside quotes."""
        text = self._rest + text
        end = place = 0
        quoted = False
        for line in text.split("\n")[:-1]:
            place += len(line) + 1
            quoted ^= line.count('"') % 2 == 1
            if not quoted:
                end = place
        self._rest = text[end:]
        if len(self._rest) > MAX_RECORD:
            raise csv.Error("a record has no end")
        return list(csv.reader(io.StringIO(text[:end], newline="")))

    def _rows(self, records: list[Record]) -> list[Backlink]:
        if self._columns is None:
            if not records:
                return []
            self._columns = _columns(records.pop(0))
        columns = self._columns
        values = [{column.name: column.value(record) for column in columns} for record in records]
        return msgspec.convert(values, list[Backlink], strict=False)


@dataclass(frozen=True, slots=True)
class _Column:
    """The place of a field, and the meaning of an empty cell."""

    name: str
    place: int
    is_text: bool
    empty: str | None

    def value(self, record: Record) -> Any:
        """The field of *record*, as text; msgspec converts it to a number or a date.

        Raises:
            ValueError: the record is too short.
        """
        if self.place >= len(record):
            raise ValueError(f"a record has only {len(record)} cells: {record}")
        cell = record[self.place]
        if not cell:
            return self.empty
        if self.is_text and cell[0] == "'" and cell[1:2] in FORMULA_STARTS:
            return cell[1:]
        return cell


def _columns(header: Record) -> list[_Column]:
    fields = msgspec.structs.fields(Backlink)
    if missing := [field.name for field in fields if field.name not in header]:
        raise ValueError(f"its header {header} lacks the columns {missing}")
    empty = empty_values(Backlink)
    return [
        _Column(
            field.name,
            header.index(field.name),
            field.type not in (int, bool, dt.date),
            empty[field.name],
        )
        for field in fields
    ]
