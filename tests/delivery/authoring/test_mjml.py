"""MJML becomes HTML, and every Mustache tag is still there, where it was."""

from __future__ import annotations

import re

import pytest

from delivery.authoring import mjml, mustache
from delivery.authoring.mjml import BadMjml


def document(body: str, head: str = "") -> str:
    return f"<mjml><mj-head>{head}</mj-head>\n<mj-body>\n{body}\n</mj-body></mjml>"


def column(inside: str) -> str:
    return f"<mj-section><mj-column>{inside}</mj-column></mj-section>"


def fault(text: str) -> mjml.Fault:
    with pytest.raises(BadMjml) as refused:
        mjml.to_html(text)
    return refused.value.fault


def test_words_with_tags_of_every_kind_go_through_as_they_were_written():
    words = "Hi {{first_name}}{{^first_name}}there{{/first_name}} {{{raw}}} {{&amp}} {{! a > b }} {{a.b}}"
    assert words in mjml.to_html(document(column(f"<mj-text>{words}</mj-text>")))


def test_what_stands_in_text_may_be_as_loose_as_html_is():
    words = "a < b<br>two &nbsp; <p>open<img src=x>"
    assert words in mjml.to_html(document(column(f"<mj-text>{words}</mj-text>")))


def test_tags_in_attributes_are_kept():
    html = mjml.to_html(
        document(
            "<mj-section background-color='{{color}}'><mj-column>"
            '<mj-button href="https://x.example/?a={{b}}&c={{d}}">Go</mj-button></mj-column></mj-section>'
        )
    )
    assert 'href="https://x.example/?a={{b}}&amp;c={{d}}"' in html.replace("&c=", "&amp;c=")
    assert "background-color:{{color}}" in html


@pytest.mark.parametrize(
    "body",
    [
        "{{#vip}}" + column("<mj-text>secret</mj-text>") + "{{/vip}}",
        "<mj-section>{{#vip}}<mj-column><mj-text>secret</mj-text></mj-column>{{/vip}}</mj-section>",
        column("{{#vip}}<mj-text>secret</mj-text>{{/vip}}"),
        column("<mj-table>{{#vip}}<tr><td>secret</td></tr>{{/vip}}</mj-table>"),
    ],
)
@pytest.mark.parametrize("head", ["", '<mj-style inline="inline">td { color: red }</mj-style>'])
def test_a_section_around_elements_shows_them_or_does_not(body, head):
    html = mjml.to_html(document(body, head))
    shown = mustache.render(html, {"vip": True}, escape=True)
    hidden = mustache.render(html, {}, escape=True)
    assert "secret" in shown and "secret" not in hidden and len(hidden) < len(shown)


def test_a_section_over_a_list_repeats_its_rows_within_the_table():
    rows = "<mj-table><tr><th>Name</th></tr>{{#items}}<tr><td>{{name}}</td></tr>{{/items}}</mj-table>"
    for head in ("", '<mj-style inline="inline">td { color: red }</mj-style>'):
        html = mjml.to_html(document(column(rows), head))
        filled = mustache.render(html, {"items": [{"name": "bell"}, {"name": "rope"}]}, escape=True)
        table = filled[filled.index("<th>Name") :]
        assert len(re.findall(r"<tr><td[^>]*>(bell|rope)</td></tr>", table[: table.index("</table>")])) == 2


def test_an_inline_style_is_inlined_with_its_variables_and_other_styles_stay():
    head = (
        '<mj-style inline="inline">.brand { color: {{brand_color}} }</mj-style>'
        "<mj-style>@media (max-width:480px) { .brand { color: {{small}} } }</mj-style>"
    )
    html = mjml.to_html(document(column('<mj-text><p class="brand">x</p></mj-text>'), head))
    assert re.search(r'<p class="brand" style="color: ?{{brand_color}};?"', html)
    assert "{{small}}" in html and "@media" in html


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("<mjml>\n<mj-body>\n<mj-section></mj-body></mjml>", "mjml", 3),
        (document(column("\n<mj-image width='{{w}}px' src='x' />")), "tag_lost", 4),
        (document("<mj-section {{#a}}padding='0'{{/a}}></mj-section>"), "tag_in_markup", 3),
        (document('<mj-include path="/etc/passwd" />'), "mjml", 3),
    ],
)
def test_what_cannot_be_made_is_refused_at_its_line(text, code, line):
    found = fault(text)
    assert found.code == code and f"(line {line})" in found.msg


@pytest.mark.parametrize(
    "text", ["", "hello", "<p>no</p>", "<mjml>", "<mjml></mjml", "\x01<mjml>", "<mjml><mj-body>" * 9]
)
def test_anything_at_all_is_made_or_refused(text):
    try:
        assert "<html" in mjml.to_html(text)
    except BadMjml as refused:
        assert refused.fault.msg


def test_comments_in_front_of_it_are_read_in_one_way_only():
    """Two thousand of them could be read in more ways than there are atoms, if one might end where a later one does."""
    assert mjml.is_document("<?xml version='1.0'?>\n" + "<!-- - -- one ---> " * 2000 + "<mjml>")
    assert not mjml.is_document("<!---->" * 2000 + "<p>")
    assert not mjml.is_document("<!-- <mjml>")


def test_a_word_like_our_own_marks_is_left_alone():
    words = "zmq0z xqz0z zmqq1z {{name}}"
    assert words in mjml.to_html(document(column(f"<mj-text>{words}</mj-text>")))
