"""Settings, from .env.example, and metrics, from the modules that make them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from types import ModuleType

from django.conf import settings

from analytics.health import metrics_house, metrics_work
from config.reference.markdown import code, page, table

HEADING = re.compile(r"# -- (.*?) -+")
SETTING = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")


@dataclass(frozen=True)
class Metric:
    """`name` as Prometheus shows it."""

    name: str
    about: str
    labels: tuple[str, ...]


def settings_page() -> str:
    parts: list[str] = []
    rows: list[tuple[str, str, str]] = []
    words: list[str] = []
    fresh = True
    for line in (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8").splitlines():
        if heading := HEADING.fullmatch(line):
            parts += [table(("Setting", "Example or default", "What it is"), rows), f"## {heading[1]}"]
            rows, words = [], []
        elif given := SETTING.fullmatch(line):
            rows.append((code(given[1]), code(given[2]), " ".join(words)))
            fresh = False
        elif line.startswith("# "):
            words = words if fresh else []
            words.append(line[2:])
            fresh = True
        else:
            words, fresh = [], True
    parts.append(table(("Setting", "Example or default", "What it is"), rows))
    return page(
        "Settings",
        "Settings come from the environment only. Each also works as `NAME_FILE=/path/to/file`, for secrets that are "
        "kept in files. All are optional under `bin/up`.",
        *parts,
    )


def metrics() -> list[Metric]:
    """Every metric that is told, by name."""
    found = [each for module in (metrics_house, metrics_work) for each in _of(module)]
    return sorted(found, key=lambda each: each.name)


def metrics_page() -> str:
    rows = [(code(each.name), each.about, ", ".join(code(label) for label in each.labels)) for each in metrics()]
    return page(
        "Metrics",
        "`GET /metrics` answers in Prometheus' text format, with counts only: no name, address or text of anybody. How "
        "to have it scraped stands in [Watching an installation](../operations/README.md).",
        table(("Metric", "What it says", "Labels"), rows),
    )


def _of(module: ModuleType) -> Iterator[Metric]:
    """Calls and pairs whose first words are a metric's name and what it says. Pairs without a call are the histograms,
    which are told by lane, and what has no labels."""
    tree = ast.parse(inspect.getsource(module))
    lists = {
        ast.unparse(node.targets[0]): node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called, given, keywords = ast.unparse(node.func), node.args, node.keywords
        elif isinstance(node, ast.Tuple):
            called, given, keywords = "", node.elts, []
        else:
            continue
        name, about = [*(_text(each, module) for each in given[:2]), "", ""][:2]
        if not name.startswith("carillon_") or not about:
            continue
        labels = next((each.value for each in keywords if each.arg == "labels"), None)
        if isinstance(labels, ast.Name):
            labels = lists[labels.id]
        named = ast.literal_eval(labels) if labels else []
        if not called and name.endswith("_seconds"):
            named = ["lane"]
        yield Metric(name + ("_total" if called == "CounterMetricFamily" else ""), about, tuple(named))


def _text(node: ast.expr, module: ModuleType) -> str:
    """A text as it stands, or with the module's own numbers filled in; empty where it is neither."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(
        format(reduce(getattr, ast.unparse(each.value).split("."), module), _text(each.format_spec, module))
        if isinstance(each, ast.FormattedValue) and each.format_spec
        else _text(each, module)
        for each in node.values
    )
