"""Apache Parquet, as much of it as a flat table needs: four types, nulls, plain values, gzip. Pure.

The format is a fixed specification, and a writer of flat tables is this file; the libraries that write everything weigh
70 to 170 MB (docs/decisions/0046). A test has what is written read back by one of them. Sources: parquet-format 2.10
(parquet.thrift, Encodings.md) and Thrift's compact protocol."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

STRING, INT64, DOUBLE, DATE = "string", "int64", "double", "date"
MAGIC = b"PAR1"
ROWS_IN_A_GROUP = 50_000
CREATED_BY = "carillon (one writer of flat tables)"
_EPOCH = date(1970, 1, 1)
# of parquet.thrift
_PHYSICAL = {INT64: 2, DOUBLE: 5, STRING: 6, DATE: 1}
_OPTIONAL, _UTF8, _DATE_TYPE = 1, 0, 6
_PLAIN, _RLE, _GZIP, _DATA_PAGE = 0, 3, 2, 0
# of the compact protocol
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


@dataclass(frozen=True)
class Column:
    """`type`: STRING (str), INT64 (int), DOUBLE (float) or DATE (datetime.date); a value of None is a null."""

    name: str
    type: str


@dataclass(frozen=True)
class _Chunk:
    column: Column
    offset: int
    values: int
    plain_size: int
    size: int


@dataclass(frozen=True)
class _Group:
    chunks: Sequence[_Chunk]
    rows: int


def write(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """The file in pieces, a group of rows at a time. Every row has a value or None for each column."""
    yield MAGIC
    at = len(MAGIC)
    groups = []
    for start in range(0, len(rows), ROWS_IN_A_GROUP):
        part = rows[start : start + ROWS_IN_A_GROUP]
        chunks = []
        for place, column in enumerate(columns):
            page, plain_size = _page(column, [row[place] for row in part])
            chunks.append(_Chunk(column, at, len(part), plain_size, len(page)))
            at += len(page)
            yield page
        groups.append(_Group(chunks, len(part)))
    footer = _footer(columns, groups)
    yield footer + struct.pack("<I", len(footer)) + MAGIC


def _page(column: Column, values: Sequence[Any]) -> tuple[bytes, int]:
    """A whole column chunk, which is one page; and its size were it not compressed."""
    body = _levels([value is not None for value in values])
    body += _WRITERS[column.type]([value for value in values if value is not None])
    packed = gzip.compress(body, mtime=0)

    def header(size: int) -> bytes:
        data = _struct((1, _I32, len(values)), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE))
        return _struct((1, _I32, _DATA_PAGE), (2, _I32, len(body)), (3, _I32, size), (5, _STRUCT, data))

    head = header(len(packed))
    return head + packed, len(head) + len(body)


def _levels(present: Sequence[bool]) -> bytes:
    """Which values are there: runs of the RLE hybrid with one bit each, after their length."""
    runs = bytearray()
    start = 0
    for at in range(1, len(present) + 1):
        if at == len(present) or present[at] != present[start]:
            runs += _varint((at - start) << 1)
            runs.append(int(present[start]))
            start = at
    return struct.pack("<I", len(runs)) + bytes(runs)


def _strings(values: Sequence[str]) -> bytes:
    encoded = [value.encode("utf-8", "replace") for value in values]
    return b"".join(struct.pack("<I", len(each)) + each for each in encoded)


_WRITERS: dict[str, Callable[[Sequence[Any]], bytes]] = {
    STRING: _strings,
    INT64: lambda values: struct.pack(f"<{len(values)}q", *values),
    DOUBLE: lambda values: struct.pack(f"<{len(values)}d", *values),
    DATE: lambda values: struct.pack(f"<{len(values)}i", *((value - _EPOCH).days for value in values)),
}


def _footer(columns: Sequence[Column], groups: Sequence[_Group]) -> bytes:
    schema = [_struct((4, _BINARY, b"schema"), (5, _I32, len(columns)))]
    schema += [_element(column) for column in columns]
    return _struct(
        (1, _I32, 1),
        (2, _LIST, (_STRUCT, schema)),
        (3, _I64, sum(group.rows for group in groups)),
        (4, _LIST, (_STRUCT, [_row_group(group) for group in groups])),
        (6, _BINARY, CREATED_BY.encode()),
    )


def _element(column: Column) -> bytes:
    fields: list[tuple[int, int, Any]] = [
        (1, _I32, _PHYSICAL[column.type]),
        (3, _I32, _OPTIONAL),
        (4, _BINARY, column.name.encode()),
    ]
    if column.type == STRING:  # the old name of the type, and the new one
        fields += [(6, _I32, _UTF8), (10, _STRUCT, _struct((1, _STRUCT, _struct())))]
    if column.type == DATE:
        fields += [(6, _I32, _DATE_TYPE), (10, _STRUCT, _struct((6, _STRUCT, _struct())))]
    return _struct(*fields)


def _row_group(group: _Group) -> bytes:
    chunks = []
    for chunk in group.chunks:
        about = _struct(
            (1, _I32, _PHYSICAL[chunk.column.type]),
            (2, _LIST, (_I32, [_zigzag(_PLAIN), _zigzag(_RLE)])),
            (3, _LIST, (_BINARY, [_sized(chunk.column.name.encode())])),
            (4, _I32, _GZIP),
            (5, _I64, chunk.values),
            (6, _I64, chunk.plain_size),
            (7, _I64, chunk.size),
            (9, _I64, chunk.offset),
        )
        chunks.append(_struct((2, _I64, chunk.offset), (3, _STRUCT, about)))
    return _struct(
        (1, _LIST, (_STRUCT, chunks)),
        (2, _I64, sum(chunk.plain_size for chunk in group.chunks)),
        (3, _I64, group.rows),
    )


# -- Thrift's compact protocol -----------------------------------------------------------------------------------------


def _struct(*fields: tuple[int, int, Any]) -> bytes:
    """(id, type, value) in the order of their ids, at most 15 apart. A struct's value is its bytes."""
    written = bytearray()
    last = 0
    for field_id, kind, value in fields:
        written.append((field_id - last) << 4 | kind)
        last = field_id
        if kind in (_I32, _I64):
            written += _zigzag(value)
        elif kind == _BINARY:
            written += _sized(value)
        elif kind == _LIST:
            element, items = value
            size = len(items)
            written += bytes([size << 4 | element]) if size < 15 else bytes([0xF0 | element]) + _varint(size)
            written += b"".join(items)
        else:
            written += value
    return bytes(written) + b"\x00"


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _sized(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(written) + bytes([value])
