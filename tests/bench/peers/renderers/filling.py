"""One of several renderers of Mustache, filling the same template again and again: `… ENGINE COUNT WORK RESULT`.

WORK is a file with the template and the data, RESULT gets what came out. Nothing of the project is imported, except to
be measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def carillon(source: str, data: dict[str, Any]) -> Callable[[], str]:
    from delivery.authoring import mustache

    return lambda: mustache.render(source, data, escape=True)


def chevron_ng(source: str, data: dict[str, Any]) -> Callable[[], str]:
    """Read once, filled many times."""
    import chevron
    from chevron.tokenizer import tokenize

    tokens = list(tokenize(source, include_raw=True))
    return lambda: str(chevron.render(tokens, data, partials_path=None, partials_dict={}, lambdas={}))


def chevron(source: str, data: dict[str, Any]) -> Callable[[], str]:
    """Keeps what it read by itself."""
    import chevron as engine

    return lambda: str(engine.render(source, data))


def pystache(source: str, data: dict[str, Any]) -> Callable[[], str]:
    import pystache as engine  # type: ignore[import-not-found, unused-ignore]

    parsed, renderer = engine.parse(source), engine.Renderer()
    return lambda: str(renderer.render(parsed, data))


def combustache(source: str, data: dict[str, Any]) -> Callable[[], str]:
    import combustache as engine  # type: ignore[import-not-found, unused-ignore]

    template = engine.Template(source)
    return lambda: str(template.render(data))


ENGINES = {each.__name__: each for each in (carillon, chevron_ng, chevron, pystache, combustache)}


def main() -> None:
    engine, count, work, result = sys.argv[1:5]
    given = json.loads(Path(work).read_text())
    fill = ENGINES[engine](given["source"], given["data"])
    Path(result).write_text(fill())
    print("ready", flush=True)
    if sys.stdin.readline().strip() == "go":
        for _ in range(int(count)):
            fill()
        print("done", flush=True)
        sys.stdin.readline()  # stays until its cost was read


if __name__ == "__main__":
    main()
