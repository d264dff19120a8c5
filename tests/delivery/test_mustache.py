"""Mustache: the spec, and what a template must never reach."""

from __future__ import annotations

import time

import pytest

from delivery.authoring import mustache
from tests.delivery.conftest import vectors

SPEC = [
    pytest.param(case, id=f"{name}: {case['name']}")
    for name in ("interpolation", "sections", "inverted", "delimiters", "comments")
    for case in vectors(f"mustache_spec/{name}.json", {"tests": []})["tests"]
    if "partials" not in case
]


@pytest.mark.parametrize("case", SPEC)
def test_the_spec_is_kept(case):
    assert mustache.render(case["template"], case["data"], escape=True) == case["expected"]


SECURITY = {case["name"]: case for case in vectors("mustache_spec/security_cases.json", {"cases": []})["cases"]}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in (
            "dunder_class_on_str", "dunder_mro", "str_method", "fs_partial", "abs_partial", "escape_double",
            "no_second_render", "missing", "null", "false_section", "zero",
        )
        if SECURITY
    ],
)  # fmt: skip
def test_a_template_reaches_its_data_and_nothing_else(name):
    case = SECURITY[name]
    assert mustache.render(case["template"], case["data"], escape=True) == case["expected"]


def test_the_single_quote_is_escaped_too():
    attack = mustache.render("<a title='{{x}}'>", {"x": "' onclick='y"}, escape=True)
    assert attack == "<a title='&#39; onclick=&#39;y'>"
    assert mustache.render("'{{x}}'", {"x": {"y": 1}, "list": ["'"]}, escape=True).startswith("'")


def test_text_is_not_escaped():
    assert mustache.render("{{x}} & {{{x}}} & {{&x}}", {"x": "<'\">"}, escape=False) == "<'\"> & <'\"> & <'\">"


def test_pythons_own_attributes_are_nothing_even_as_a_section():
    template = "{{x.__doc__}}{{#x.__class__}}seen{{/x.__class__}}{{^x.__class__}}hidden{{/x.__class__}}"
    assert mustache.render(template, {"x": "a"}, escape=True) == "hidden"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{#a}}x", "never closed"),
        ("x\ny\n{{#a}}{{/b}}", "line 3"),
        ("{{/a}}", "not opened"),
        ("{{a", "unclosed tag at line 1"),
        ("{{}}", "empty"),
        ("{{= =}}", "delimiters"),
        ("{{#a}}" * 5000 + "{{/a}}" * 5000, "deeper"),
        ("x" * 1_000_001, "longer"),
    ],
)
def test_a_template_that_cannot_be_read_is_refused_with_words_and_at_once(template, words):
    began = time.monotonic()
    with pytest.raises(mustache.BadMustache, match=words):
        mustache.render(template, {"a": 1}, escape=True)
    assert time.monotonic() - began < 2
