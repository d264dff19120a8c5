"""Our own filling of templates beside chevron-ng's: the same bytes; and what no template makes it do."""

from __future__ import annotations

import time
from unittest import mock

import chevron
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.authoring import mustache

NAMES = ["a", "b", "c", "a.b", "a.b.c", "b.a", "c.0", "c.-1.a", "a.length", ".", "0", "..", "a.", "Ünï"]
WORDS = [
    "x",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\n  ",
    " \n",
    "<&>\"'",
    "{",
    "}",
    "{ {",
    "é",
    "🙂",
    "&#39;",
    "%s{0}$x",
    "\\n",
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 0.0, -0.0, 1.5, 1e300, 10**20, float("inf")])
    | st.sampled_from(["", "text", '<b>"it\'s" & more</b>', "{{a}}", "ünï 🙂", "\ufdd0\ufdd1", "7", "\0", "<\0&"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "0", "", "Ünï"]), inner, max_size=4)
    ),
    max_leaves=12,
)
data = st.dictionaries(st.sampled_from(["a", "b", "c", "Ünï"]), values, max_size=4)

names = st.sampled_from(NAMES)
literals = st.lists(st.sampled_from(WORDS), max_size=3).map("".join)
tags = st.builds(
    "{}{}{}".format,
    literals,
    st.builds(
        str.format,
        st.sampled_from(
            ["{{{{{0}}}}}", "{{{{ {0} }}}}", "{{{{{{{0}}}}}}}", "{{{{&{0}}}}}", "{{{{! {0} }}}}", "{{{{>{0}}}}}"]
        ),
        names,
    ),
    literals,
)
templates = st.recursive(
    literals | tags | st.builds("{{{{=<% %>=}}}}{}<%{}%><%={{{{ }}}}=%>".format, literals, names),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.builds(
            "{0}{{{{{1}{2}}}}}{3}{4}{{{{/{2}}}}}".format, literals, st.sampled_from("#^"), names, literals, inner
        ),
    ),
    max_leaves=20,
)
soup = st.lists(
    st.sampled_from([*WORDS, "{{", "}}", "{{#a}}", "{{/a}}", "{{^b}}", "{{{", "=", "{{=", "/b", "a", "&"])
).map("".join)


def by_chevron(source, given, *, escape):
    """What chevron-ng makes of it, told only to escape the single quote, too."""

    def five(text):
        for character, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
            text = text.replace(character, shown)
        return text

    tokens = mustache.read(source, escape=escape)
    with mock.patch("chevron.renderer._html_escape", five):
        return chevron.render(tokens, given, partials_path=None, partials_dict={}, lambdas={})


@given(templates, data, st.booleans())
@example("{{#c}}{{.}}{{/c}}", {"c": [None, False, 0, [], {}, "", "x"]}, True)
@example("{{#a}}{{^b}}{{.}}{{c}}{{/b}}{{/a}}", {"a": {"c": 1}, "b": 0}, True)
@example("  {{#a}}\n  {{b}}\n  {{/a}}  \n x", {"a": [{"b": 1}, {"b": None}], "b": 2}, False)
@example("{{#a}}{{b.c}}{{/a}}", {"a": {"b": {}}, "b": {"c": "not the outer one"}}, True)
@settings(max_examples=600, deadline=None)
def test_it_gives_the_same_bytes_as_chevron(source, given, escape):
    same_as_chevron(source, given, escape=escape)


@given(soup, data)
@settings(max_examples=400, deadline=None)
def test_whatever_can_be_read_is_filled_as_chevron_fills_it_and_the_rest_is_refused(source, given):
    same_as_chevron(source, given, escape=True)


def same_as_chevron(source, given, *, escape):
    try:
        expected = by_chevron(source, given, escape=escape)
    except (mustache.BadMustache, IndexError):
        with pytest.raises(mustache.BadMustache):
            mustache.render(source, given, escape=escape)
    else:
        assert mustache.render(source, given, escape=escape) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{<layout}}{{$title}}{{a}}{{/title}}{{/layout}}\n|{{$body}}\n  it's {{a}} {{b}}\n{{/body}}",
        "{{$x}}{{#b}}{{.}}{{/b}}{{/x}}",
    ],
)
def test_inheritance_is_left_to_chevron(source):
    data = {"a": "it's <b>", "b": ["'", {"q": "'"}]}
    assert mustache.render(source, data, escape=True) == by_chevron(source, data, escape=True)


HOSTILE = [
    "__import__('os').system('touch /tmp/x')",
    '"]+exit()+["',
    "a'; raise SystemExit #",
    "{0.__class__}",
    "%(x)s",
    "\\",
    "\n",
    "lambda: 0",
    "a\u2028b",
    "f'{a}'",
    "_NOTHING",
    "self",
    "body.pieces",
    "get",
    "items",
    "keys",
    "format_map",
    "append",
    "real",
    "imag",
    "numerator",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_only_ever_a_name(name):
    source = f"{{{{ {name} }}}}{{{{# {name} }}}}seen{{{{/ {name} }}}}{{{{& a.{name} }}}}"
    assert mustache.render(source, {"a": "text", "b": 1}, escape=False) == ""
    assert mustache.render(f"{{{{ n.{name} }}}}{{{{ l.{name} }}}}", {"n": 5, "l": [1]}, escape=False) == ""
    if "." not in name and name == name.strip():
        assert mustache.render(source, {name: "found", "a": {name: "!"}}, escape=False) == "foundseen!"


class Guarded:
    secret = "secret"

    def __getitem__(self, name):
        raise AssertionError("was asked for a member")

    def delete(self):
        raise AssertionError("was called")


def test_an_object_that_is_no_json_has_no_members():
    data = {"x": Guarded(), "call": Guarded().delete}
    assert mustache.render("{{x.secret}}{{x.delete}}{{x.0}}{{#x}}{{secret}}{{/x}}", data, escape=True) == ""


@pytest.mark.parametrize("names", [("__class__", "x"), ("x", "__doc__"), ("__x", "x")])
def test_names_with_two_underscores_find_nothing_even_in_the_data(names):
    first, second = names
    whole = f"{first}.{second}"
    source = f"{{{{{whole}}}}}{{{{#{whole}}}}}seen{{{{/{whole}}}}}{{{{^{whole}}}}}-{{{{/{whole}}}}}"
    data = {first: {second: "found"}}
    assert mustache.render(source, data, escape=True) == "-"


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{{#a}}{{#b}}x{{/b}}{{/a}}", {"a": [1] * 30_000, "b": [1] * 30_000}),
        ("{{#a}}{{#b}}{{/b}}{{/a}}", {"a": [1] * 30_000, "b": [1] * 30_000}),
        ("{{#a}}{{#a}}{{#a}}{{#a}}{{a}}{{/a}}{{/a}}{{/a}}{{/a}}", {"a": list(range(1000))}),
        ("{{#a}}{{b}}{{/a}}", {"a": [1] * 100_000, "b": "x" * 100_000}),
        ("{{b}}" * 10_000, {"b": "x" * 100_000}),
        ("{{#a}}" + "y" * 100_000 + "{{/a}}", {"a": [1] * 100_000}),
        ("{{#a}}{{$b}}{{#a}}{{#a}}x{{/a}}{{/a}}{{/b}}{{/a}}", {"a": [1] * 1000}),
    ],
)
def test_what_grows_beyond_all_bounds_is_refused_at_once(source, data):
    began = time.monotonic()
    with pytest.raises(mustache.BadMustache, match=r"longer than|passed through"):
        mustache.render(source, data, escape=True)
    assert time.monotonic() - began < 10  # for ever, if nothing bounded it


def test_a_long_list_is_no_offence():
    rows = [{"n": n, "name": "x"} for n in range(20_000)]
    assert mustache.render("{{#rows}}{{n}} {{name}}\n{{/rows}}", {"rows": rows}, escape=True).count("\n") == 20_000


def test_a_value_that_cannot_be_shown_is_refused_with_words():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, 10**5000):
        with pytest.raises(mustache.BadMustache):
            mustache.render("{{x}}", {"x": value}, escape=True)


def test_no_more_than_so_many_templates_are_kept():
    for n in range(mustache.KEPT_COMPILED + 50):
        mustache.render(f"{n} {{{{x}}}}", {"x": 1}, escape=False)
    kept = mustache._prepared.cache_info().currsize
    mustache.render("x" * (mustache.KEPT_UP_TO + 1), {}, escape=False)
    assert kept == mustache._prepared.cache_info().currsize == mustache.KEPT_COMPILED


def test_a_value_is_looked_up_once_for_all_its_places():
    class Counting(dict):
        asked = 0

        def get(self, name, default=None):
            Counting.asked += 1
            return super().get(name, default)

    source = "{{o.a}} {{o.a}} {{#l}}{{o.a}}{{/l}} {{{o.a}}}"
    filled = mustache.render(source, {"o": Counting(a="'"), "l": [{"o": {"a": 1}}, {}]}, escape=True)
    assert filled == "&#39; &#39; 1&#39; '"
    assert Counting.asked == 3  # escaped, not escaped, and in the section where nobody else has it
