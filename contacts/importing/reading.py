"""Bytes become lines, and lines know how many bytes they were: so that a run can begin again where it stopped. Pure.

Bytes that are no text in the encoding come out as surrogates, one for each, and are counted as what they were."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable, Iterator, Sequence

from contacts.importing.csv_rows import MOST_CHARACTERS, Cut

# As people name them, and how Python reads them; nothing else is tried
CODECS = {
    "utf-8": ("utf-8", "surrogateescape"),
    "utf-16-le": ("utf-16-le", "surrogatepass"),
    "utf-16-be": ("utf-16-be", "surrogatepass"),
    "cp1252": ("cp1252", "surrogateescape"),
    "latin-1": ("latin-1", "strict"),
}
MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
BLOCK = 256 * 1024


def mark_size(encoding: str, beginning: bytes) -> int:
    """How many bytes the byte order mark takes."""
    mark = MARKS.get(encoding, b"")
    return len(mark) if mark and beginning.startswith(mark) else 0


def lines(blocks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """The lines with their ends (LF, CR LF or CR). Of a line without end only as much is kept as shows that it is too
    long (see `Cut`)."""
    codec, errors = CODECS[encoding]
    decoder = codecs.getincrementaldecoder(codec)(errors)
    measure = sizer(encoding)
    rest, cut = "", None
    for block in blocks:
        text = rest + decoder.decode(block)
        end = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1  # a CR at the very end may be half of a line end
        whole, rest = text[:end], text[end:]
        if cut is not None:
            if not whole:
                kept = len(rest) - rest.endswith("\r")
                cut.lost += measure([rest[:kept]])
                rest = rest[kept:]
                continue
            first = io.StringIO(whole, newline="").readline()
            cut.lost += measure([first])
            whole = whole[len(first) :]
            yield cut
            cut = None
        yield from io.StringIO(whole, newline="")
        if len(rest) > MOST_CHARACTERS and not rest.endswith("\r"):
            cut = Cut(rest[: MOST_CHARACTERS + 1])
            cut.lost = measure([rest[MOST_CHARACTERS + 1 :]])
            rest = ""
    if cut is not None:
        cut.lost += measure([rest])
        yield cut
    else:
        yield from io.StringIO(rest + _end(decoder), newline="")


def _end(decoder: codecs.IncrementalDecoder) -> str:
    """What is left when the file ends in the middle of a character: no text."""
    try:
        return decoder.decode(b"", True)
    except UnicodeDecodeError:  # half a unit of UTF-16, whose codec cannot pass it on
        return "\udc00"


def sizer(encoding: str) -> Callable[[Sequence[str]], int]:
    """How many bytes of the file these lines were."""
    codec, errors = CODECS[encoding]

    def measure(lines: Sequence[str]) -> int:
        text = "".join(lines)
        size = len(text) if codec != "utf-8" or text.isascii() else len(text.encode(codec, errors))
        if codec.startswith("utf-16"):
            size = len(text.encode(codec, errors))
        return size + sum(line.lost for line in lines if isinstance(line, Cut))

    return measure
