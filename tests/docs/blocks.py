"""The code blocks of the guides: where they stand, in which language, and what their first line says about them.

```sh says="accepted: 1"           run; what it prints must contain this (quotation marks and spaces apart)
```sh fails="yes"                  run; it must end with an error (what is shown is how that looks)
```json request="POST /api/v1/…"   sent to the installation; it must be taken
```python title="send.py"          kept under this name, and run unless a later block of the page names it
```sh runby="tests/…/test_x.py"    run by that test, which names the page
```sh notrun="why"                 not run; there are few of these"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

DOCS = Path(settings.BASE_DIR) / "docs"
NOT_GUIDES = {"decisions"}  # what was thought then, which is not made to follow the code
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r'(\w+)="([^"]*)"')
OPTIONS = {"says", "fails", "request", "title", "runby", "notrun"}


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    body: str
    options: dict[str, str] = field(hash=False)

    @property
    def where(self) -> str:
        return f"docs/{self.page.relative_to(DOCS)}:{self.line}"

    @property
    def title(self) -> str:
        return self.options.get("title", "")


def pages() -> list[Path]:
    """Every page of the guides, in order."""
    return sorted(path for path in DOCS.rglob("*.md") if path.relative_to(DOCS).parts[0] not in NOT_GUIDES)


def blocks_of(page: Path) -> list[Block]:
    return list(_read(page, page.read_text(encoding="utf-8")))


def _read(page: Path, text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        language, _, rest = found["info"].strip().partition(" ")
        indent = len(found["indent"])
        body = "".join(line[indent:] for line in found["body"].splitlines(keepends=True))
        yield Block(page, text.count("\n", 0, found.start()) + 1, language, body, dict(OPTION.findall(rest)))
