"""The text part that is made of the HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from delivery.authoring import markup, mustache
from delivery.authoring.inlining import inlined
from delivery.authoring.plain_text import from_html, template_of, tidied


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("<ul><li>a</li><li><p>b</p></li></ul>after", "- a\n- b\n\nafter"),
        ("<ol start=3><li>a<ul><li>x</li></ul></li><li>b</li></ol>", "3. a\n  - x\n4. b"),
        ("<table><tr><th>Name</th><th>Price</th></tr><tr><td>Bell</td><td> 12 </td></tr></table>",
         "Name  |  Price\nBell  |  12"),
        ("<table><tr><td>one cell</td></tr></table>", "one cell"),
        ("a<hr>b", "a\n\n--------------------\n\nb"),
        ('<a href="https://x.example/"><img src=l alt="Logo"></a>', "Logo (https://x.example/)"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/"),
        ('<a href="tel:+49301">+49301</a> <a href="mailto:a@x.example">write</a>', "+49301 write (mailto:a@x.example)"),
        ('<img src=x alt=""><img src=y>z', "z"),
        ('<div style="display:none">hidden <b>too<br></b></div>shown', "shown"),
        ('<div style="display: none"><div>a</div></div>b', "b"),
        ("<style>p{}</style><title>t</title><script>x</script>seen", "seen"),
        ("a &lt; b &amp;&nbsp;c", "a < b & c"),
    ],
)  # fmt: skip
def test_what_a_reader_without_html_sees(html, text):
    assert from_html(html) == text


@given(some.text(alphabet="<>/ab=\"' lioutrdhp&;!-", max_size=60))
def test_any_html_has_a_text(html):
    assert isinstance(from_html(html), str)


DATA = {
    "name": "Ana & Bo <b>",
    "vip": True,
    "url": "https://example.com/?a=1&b=2",
    "rows": [{"what": "Tea", "price": "3"}, {"what": "Cake", "price": "5"}],
}


@pytest.mark.parametrize(
    "html",
    [
        "<p>Hello {{name}}{{^name}}there{{/name}},</p><p>{{#vip}}<b>Welcome</b>{{/vip}} back</p>",
        '<p><a href="{{url}}">Look</a> and <a href="https://example.com/{{name}}">there</a></p>',
        "<table>{{#rows}}<tr><td>{{what}}</td><td>{{price}}</td></tr>{{/rows}}</table><p>Bye</p>",
        "<ul>{{#rows}}<li>{{what}}</li>{{/rows}}</ul>",
        "<ol>{{#rows}}<li>{{what}}</li>{{/rows}}</ol>",
        "<p>{{{name}}}</p>",
        '<p style="display:{{hidden}}none">a</p><p>b</p>',
        "{{#nobody}}<p>unseen</p>{{/nobody}}<p>seen</p>",
        "<p>a</p>{{#nobody}}<p>unseen</p>{{/nobody}}<p>seen</p>",
        "<div style='display:none'>{{#vip}}</div><p>x{{/vip}}</p><p>y</p>",
    ],
)
def test_a_text_that_is_made_of_the_template_says_what_one_of_the_mail_says(html):
    """Line breaks may differ: a section of blocks stands on lines of its own."""
    try:
        filled = mustache.render(html, DATA, escape=True)
    except mustache.BadMustache:
        return
    source = template_of(html)
    text = from_html(filled) if source is None else tidied(mustache.render(source, DATA, escape=False))
    assert text.split() == from_html(filled).split()


@pytest.mark.parametrize("html", ["<p>{{{x}}}</p>", "<p>{{&x}}</p>", "<ol>{{#a}}<li>b</li>{{/a}}</ol>"])
def test_what_has_to_be_filled_first_is_no_template_of_a_text(html):
    assert template_of(html) is None
    assert template_of("<p>{{x}}</p>") == "{{x}}"


@pytest.mark.parametrize("html", ["<p>a<![x[ b></p>c", "a<![x[", "<!DOCTYPE [<!FOO x>]>c", "<![if !mso]>c<![endif]>"])
def test_a_broken_declaration_is_a_comment_to_every_reader(html):
    from_html(html)
    markup.read(html)
    inlined(f"<html><head><style>p {{ color: red }}</style></head><body><p>x</p>{html}</body></html>")
    assert "c" in from_html(f"{html}>c")
