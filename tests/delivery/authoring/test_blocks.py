"""Block documents: what may stand in them, where a mistake is named, and what becomes of hostile words."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.authoring import blocks, mjml, mustache, plain_text
from delivery.authoring.blocks import BadBlocks
from delivery.authoring.blocks.starters import STARTERS, starter

LEAVES = [
    {"type": "logo", "text": "Acme", "src": "https://example.com/a.png"},
    {"type": "heading", "text": "Hello", "level": 2},
    {"type": "text", "text": "One\n\n- two\n- three"},
    {"type": "button", "text": "Go", "href": "https://example.com/?a=1&b={{c}}", "wide": True},
    {"type": "image", "src": "https://example.com/b.png", "alt": "A boat", "width": 200},
    {"type": "divider"},
    {"type": "spacer", "height": 30},
    {"type": "product", "title": "Lamp", "price": "€ 9", "src": "https://example.com/c.png", "button": "Buy"},
    {"type": "social", "links": [{"network": "x", "href": "https://x.com/a"}]},
    {"type": "html", "html": "<table><tr><td>Cell</td></tr></table>"},
]
HOSTILE = [
    "<script>window.broken = 1</script>",
    '"><img src=x onerror=window.broken=1>',
    "</mj-text></mj-column><mj-raw><script>1</script></mj-raw>",
    "{{#a}}<b onclick=x>{{/a}}",
    "<!-- --><script>",
    "]]><script>",
    "[words](javascript:window.broken=1)",
    "&lt;script&gt;",
    "{{=<% %>=}}",
    "{{",
    "}}",
    "**[a](b)**",
    "a\u2028b",
]


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = _Elements()
    reader.feed(html)
    return reader.found


def html_of(document: list[Any]) -> str:
    return mjml.to_html(blocks.mjml_of(document))


def places(document: Any) -> list[str]:
    with pytest.raises(BadBlocks) as caught:
        blocks.mjml_of(document)
    return [".".join(map(str, fault.loc)) for fault in caught.value.faults]


def test_every_kind_of_block_becomes_a_mail_also_inside_of_columns():
    columns = {"type": "columns", "columns": [LEAVES, LEAVES[:3], LEAVES[3:]]}
    html = html_of([{"type": "theme", "width": 640}, *LEAVES, columns, {"type": "footer", "text": "Because"}])
    said = plain_text.from_html(html)
    for words in ("Hello", "One", "two", "Go", "A boat", "Lamp", "€ 9", "Buy", "X", "Cell", "Because"):
        assert words in said, words
    assert html.count("https://example.com/?a=1&amp;b={{c}}") == 3
    assert set(blocks.TYPES) == {each["type"] for each in LEAVES} | {"theme", "columns", "footer"}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([{"type": "heading"}], "blocks.0.text"),
        ([{"type": "divider"}, {"type": "divider"}, {"type": "text", "text": 5}], "blocks.2.text"),
        ([{"type": "castle"}], "blocks.0.type"),
        ([{}], "blocks.0.type"),
        ([{"type": ["text"]}], "blocks.0.type"),
        ([7], "blocks.0"),
        ({"type": "text"}, "blocks"),
        (None, "blocks"),
        ([{"type": "heading", "text": "x", "size": 1}], "blocks.0.size"),
        ([{"type": "columns", "columns": [[], [{"type": "heading", "text": 1}]]}], "blocks.0.columns.1.0.text"),
        ([{"type": "columns", "columns": [[{"type": "columns", "columns": []}], []]}], "blocks.0.columns.0.0.type"),
        ([{"type": "columns", "columns": [[]]}], "blocks.0.columns"),
        ([{"type": "social", "links": [{"network": "x", "href": "javascript:1"}]}], "blocks.0.links.0.href"),
        ([{"type": "button", "text": "x", "href": "https://a b"}], "blocks.0.href"),
        ([{"type": "theme", "accent": "red"}], "blocks.0.accent"),
        ([{"type": "theme", "accent": "#123456\n"}], "blocks.0.accent"),
        ([{"type": "spacer", "height": True}], "blocks.0.height"),
        ([{"type": "text", "text": "a\x00b"}], "blocks.0.text"),
        ([{"type": "text", "text": "\ud800"}], "blocks.0.text"),
        ([{"type": "text", "text": "{{{first_name}}}"}], "blocks.0.text"),
        ([{"type": "heading", "text": "{{& first_name}}"}], "blocks.0.text"),
        ([{"type": "html", "html": "<div>"}], "blocks.0.html"),
        ([{"type": "html", "html": "<p onclick='x'>a</p>"}], "blocks.0.html"),
        ([{"type": "html", "html": "<a href=' javascript:x'>a</a>"}], "blocks.0.html"),
        ([{"type": "html", "html": "</mj-text>"}], "blocks.0.html"),
        ([{"type": "divider"}, {"type": "theme"}], "blocks.1"),
        ([{"type": "footer"}, {"type": "divider"}], "blocks.0"),
    ],
)
def test_a_mistake_is_named_at_its_place(document, place):
    assert places(document) == [place]


def test_the_value_is_not_repeated_in_the_words_about_it():
    with pytest.raises(BadBlocks) as caught:
        blocks.mjml_of([{"type": "heading", "text": {"secret": "ruby"}}, {"type": "theme", "accent": "ruby"}])
    assert "ruby" not in str(caught.value)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words):
    document = [
        {"type": "logo", "text": words},
        {"type": "heading", "text": words},
        {"type": "text", "text": words},
        {"type": "button", "text": words, "href": "{{url}}"},
        {"type": "image", "src": "https://example.com/a.png", "alt": words},
        {"type": "product", "title": words, "text": words, "price": words, "button": words},
        {"type": "footer", "text": words},
    ]
    html = html_of(document)
    for tag, attributes in elements(html):
        assert tag != "script"
        assert not [name for name in attributes if name.startswith("on")]
        assert not (attributes.get("href") or "").startswith("javascript")
    assert html.count("<h1") == 1


def test_merge_tags_are_kept_and_a_contacts_markup_is_inert():
    words = "{{first_name}}{{^first_name}}there & co{{/first_name}}"
    html = html_of([{"type": "heading", "text": words}, {"type": "text", "text": f"**{words}**"}])
    filled = mustache.render(html, {"first_name": "<script>window.broken=1</script>"}, escape=True)
    assert filled.count("&lt;script&gt;window.broken=1&lt;/script&gt;") == 2
    assert "script" not in {tag for tag, _ in elements(filled)}
    assert mustache.render(html, {}, escape=True).count("there &amp; co") == 2


def test_marks_become_bold_italic_links_and_lists():
    words = "A **bold** and *slanted* word, [a *link*]({{url}}), 2 * 3 * 4.\nNext line\n\n- one\n- two"
    words += "\n\n{{#vip}}\n\nVIP\n\n{{/vip}}"
    html = html_of([{"type": "text", "text": words}])
    for piece in (
        "<strong>bold</strong>", "<em>slanted</em>", 'href="{{url}}">a <em>link</em></a>', "2 * 3 * 4", "<li>one</li>",
        "<br/>Next line", "{{#vip}}<p",
    ):  # fmt: skip
        assert piece in html.replace("<br />", "<br/>"), piece
    assert "VIP" not in mustache.render(html, {"vip": False}, escape=True)


def test_a_mail_says_that_it_knows_the_dark_and_its_button_can_be_read():
    html = html_of([{"type": "theme", "accent": "#fde047"}, {"type": "button", "text": "Go"}])
    assert "prefers-color-scheme: dark" in html
    assert '"light dark"' in html
    assert "color:#111827" in html  # near-black words on yellow
    assert "color:#ffffff" in html_of([{"type": "theme", "accent": "#1d4ed8"}, {"type": "button", "text": "Go"}])


def test_no_font_or_picture_comes_from_a_server_that_nobody_named():
    html = html_of([{"type": "theme"}, *LEAVES])
    assert "fonts.googleapis" not in html
    assert "mailjet" not in html


@pytest.mark.parametrize("each", STARTERS, ids=lambda each: each.key)
def test_every_starter_is_a_mail(each):
    html = html_of(list(each.blocks))
    assert len(html.encode()) < 40_000
    assert each.blocks[0]["type"] == "theme"
    assert each.blocks[-1]["type"] == "footer"
    assert starter(each.key) is each
    mustache.render(html, {}, escape=True)
    assert json.loads(json.dumps(each.blocks)) == list(each.blocks)


def test_there_are_five_starters_and_no_other():
    assert [each.key for each in STARTERS] == ["welcome", "newsletter", "announcement", "receipt", "win-back"]
    assert starter("castle") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ALMOST = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(blocks.TYPES)},
        optional={
            name: st.one_of(JSON, st.text(max_size=40), st.sampled_from(HOSTILE))
            for name in ("text", "href", "src", "alt", "html", "links", "columns", "level", "align", "accent", "title")
        },
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(document=JSON | ALMOST)
def test_any_json_is_a_mail_or_has_its_faults_at_their_places(document):
    try:
        made = blocks.mjml_of(document)
    except BadBlocks as error:
        assert error.faults
        assert all(fault.loc[0] == "blocks" for fault in error.faults)
    else:
        assert "script" not in {tag for tag, _ in elements(mjml.to_html(made))}
