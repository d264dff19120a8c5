"""MkDocs calls this while it builds the guides (`mkdocs.yml` names it), in the environment of `bin/docs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

MADE = Path("var/docs/reference")
# what a browser asks for by itself; a link is asked for by whoever clicks it
ASKED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|<link\b(?![^>]*\brel=[\"']?canonical)[^>]*?\bhref=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|url\([\"']?(?:https?:)?//[^)]+|@import[^;]*//[^;]+",
    re.IGNORECASE,
)
# what a block says to the test that runs it (tests/docs/blocks.py), which readers need not see
FOR_TESTS = re.compile(r'^( *```\w+[^\n]*?)((?: (?:says|fails|request|runby|notrun)="[^"\n]*")+)', re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The fences of a page without their words for tests."""
    return FOR_TESTS.sub(r"\1", markdown)


def on_files(files: Files, *, config: Any) -> Files:
    """The reference is not in docs/: `manage.py write_reference` has just made it."""
    made = sorted((Path(config.config_file_path).parent / MADE).glob("*.md"))
    if not made:
        raise PluginError(f"there is nothing in {MADE}: bin/docs makes it")
    for path in made:
        files.append(File.generated(config, f"reference/{path.name}", abs_src_path=str(path)))
    return files


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """A page that would ask another host for anything is refused: guides are read where there is no network, too."""
    if asked := ASKED.search(output):
        raise PluginError(f"{page.file.src_uri} asks another host: {asked[0]}")
    return output
