"""CSS goes into style attributes, and nothing else changes its meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from delivery.authoring import inlining, mustache, tags
from delivery.authoring.inlining import UnableToInline

PAGE = "<html><head><style>{css}</style></head><body>{body}</body></html>"


def page(css: str, body: str) -> str:
    return inlining.inlined(PAGE.format(css=css, body=body))


def test_rules_go_to_their_elements_and_what_cannot_be_inlined_stays():
    html = page(
        "p { margin: 0 } a:hover { color: red } @media (max-width: 600px) { p { margin: 8px } }",
        "<p>Hi</p><a href='x'>y</a>",
    )
    assert '<p style="margin: 0;">Hi</p>' in html
    assert "a:hover" in html and "@media (max-width: 600px)" in html


def test_html_without_a_style_sheet_is_not_touched():
    loose = "<p class=x>a<br>b {{#c}}<i>{{/c}}</p>"
    assert inlining.inlined(loose) is loose


def test_every_tag_stands_where_it_stood():
    body = (
        '<table>{{#rows}}<tr><td title="{{t}}">{{name}}</td></tr>{{/rows}}</table>'
        '<a href="https://x.example/?a={{b}}&amp;c={{{d}}}">{{^v}}x{{/v}}</a><p>{{> part}} {{&amp}} {{! a > b }}</p>'
        "<!--[if mso]><table><tr>{{m}}</tr></table><![endif]-->"
    )
    html = page("td { color: {{c}} }", body)
    wanted = [tag.name for tag in tags.scan(body)]
    assert [tag.name for tag in tags.scan(html[html.index("<body") :]) if tag.name != "c"] == wanted
    assert 'style="color: {{c}};"' in html
    rows = mustache.render(html, {"rows": [{"name": "a"}, {"name": "b"}]}, escape=True)
    assert rows.count("<tr><td") == 2 and rows.count("<tbody") == 1


def test_a_style_sheet_elsewhere_is_never_fetched(tmp_path):
    sheet = tmp_path / "a.css"
    sheet.write_text("p { color: red }")
    html = inlining.inlined(f'<link rel="stylesheet" href="{sheet}"><style>b{{}}</style><p>x</p>')
    assert "color: red" not in html and str(sheet) in html


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<style>p{color:red}</style>\n<p {{#a}}class='x'{{/a}}>", "tag_in_markup"),
        ("<style>p{color:red}\n{{#a}} b{c:d} {{/a}}</style><p>", "tag_lost"),
    ],
)
def test_a_tag_that_would_be_lost_is_a_fault_with_its_line(html, code):
    with pytest.raises(UnableToInline) as refused:
        inlining.inlined(html)
    assert refused.value.fault.code == code and "(line 2)" in refused.value.fault.msg


PIECES = some.sampled_from(
    [
        *("{{a}}", "{{{b}}}", "{{#s}}", "{{/s}}", "{{^s}}", "{{! no }}", "<p>", "</p>", "<table>", "<tr><td>"),
        *("</table>", "x", " ", "<br>", "&lt;", '<a href="{{u}}">', "</a>", "<!--c-->", "<b class='k'>"),
    ]
)


@given(some.lists(PIECES, max_size=12))
def test_no_html_loses_a_tag_or_an_order(pieces):
    body = "".join(pieces)
    try:
        html = page(".k{color:red}", body)
    except UnableToInline:
        return
    before, after = ([tag.name for tag in tags.scan(text)] for text in (body, html))
    assert before.count("u") <= after.count("u")  # a link that was not closed is opened again in the next paragraph
    assert [name for name in before if name != "u"] == [name for name in after if name != "u"]


@pytest.mark.parametrize("moved", ["<p>secret</p>", "secret", '<img src="secret">'])
def test_what_a_parser_would_move_out_of_its_section_is_refused(moved):
    with pytest.raises(UnableToInline) as refused:
        page("p{color:red}", f"<table>{{{{#vip}}}}{moved}{{{{/vip}}}}<tr><td>x</td></tr></table>")
    assert refused.value.fault.code == "nesting"


def test_html_that_is_loose_but_moves_nothing_is_taken():
    body = "<p>a <b>b<i>c</b>d</i>{{#v}}e<br>f{{/v}}<p>g &amp; h &lt; i é<ul><li>{{j}}<li>k</ul><table><td>l</table>"
    assert "{{#v}}e<br>f{{/v}}" in page("p{color:red}", body)
