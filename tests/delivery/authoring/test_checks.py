"""What a reader, a mail program or a spam filter would mind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from contacts import clock
from contacts.models import SeenEvent
from delivery.authoring import checks, markup
from delivery.authoring.rendering import Words
from delivery.authoring.templates import Wording
from tests.delivery import making
from tests.receiver import receiving

GOOD = (
    '<!doctype html><html lang="en"><head><meta name="color-scheme" content="light dark"></head><body>'
    "<p>Hello {{first_name}}, here is quite some text to read about bells and ropes.</p>"
    '<img src="https://x.example/l.png" alt="Logo" width="120"><a href="https://x.example/a">Look</a></body></html>'
)


def found(html: str = GOOD, **given: str) -> list[checks.Finding]:
    words = {"subject": "Hello", "preheader": "Now", "text": "t"} | given
    more = {name: words.pop(name) for name in ("channel", "event_type") if name in words}
    return checks.findings(Wording(Words(html=html, **words)), **more)


def codes(html: str = GOOD, **words) -> set[str]:
    return {each.code for each in found(html, **words)}


def body(inside: str) -> str:
    return GOOD.replace("</body>", f"{inside}</body>")


pytestmark = pytest.mark.django_db


def test_nothing_is_wrong_with_a_good_mail():
    assert found() == []


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ('<img src="https://x.example/a.png">', "no_alt"),
        ('<img src="" alt="">', "bad_image"),
        ('<img src="data:image/png;base64,AA" alt="">', "bad_image"),
        ('<img src="https://x.example/a.png" alt="" width="2400">', "large_image"),
        ('<img src="http://x.example/a.png" alt="">', "insecure_link"),
        ('<a href="http://x.example/">x</a>', "insecure_link"),
        ('<a href="javascript:alert(1)">x</a>', "bad_link"),
        ('<a href="www.x.example">x</a>', "bad_link"),
        ('<a href="https://">x</a>', "bad_link"),
        ('<a href="https://[x">x</a>', "bad_link"),
        ('<a href="">x</a>', "empty_link"),
        ('<a href="https://x.example/"></a>', "empty_link"),
        ('<a href="https://bit.ly/x">x</a>', "shortened_link"),
        ('<a href="https://evil.example/">www.bank.example</a>', "link_says_otherwise"),
        ("<div><span>x</div></span>", "nesting"),
        ("<b>never closed", "nesting"),
        ("<a href='https://x.example/'>a<a href='https://x.example/'>b</a></a>", "nesting"),
        ("<tr><td>x</td></tr>", "nesting"),
        ("{{never_seen}}", "unknown_tag"),
        ("{{email}}", "unknown_tag"),
        ("{{contact.shoe_size}}", "unknown_tag"),
        ("x" * 105_000, "too_large"),
    ],
)
def test_each_thing_that_is_minded(inside, code):
    assert codes(body(inside)) == {code}


@pytest.mark.parametrize(
    "inside",
    [
        '<a href="https://www.x.example/">x.example</a>',
        '<a href="{{trigger.url}}">x</a><a href="https://x.example/{{plan}}">{{plan}}</a>',
        '<a href="https://x.example/"><img src="https://x.example/a.png" alt=""></a>',
        '<a href="mailto:a@x.example">x</a><a href="#top">y</a>',
        "<table><tr><td>x<tr><td>y</table><ul><li>a<li>b</ul><p>a<p>b",
        "<table><tbody>{{#items}}<tr><td>{{name}}</td></tr>{{/items}}</tbody></table>",
        "<!--[if mso]><table><tr><td><![endif]-->x<!--[if mso]></td></tr></table><![endif]-->",
        "{{contact.email}}{{contact.plan}}{{brand_name}}{{unsubscribe_url}}",
    ],
)
def test_what_nobody_minds(inside):
    assert codes(body(inside)) <= {"unknown_tag"} and not any("items" not in inside for _ in found(body(inside)))


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ({"subject": "BUY NOW OR NEVER"}, "shouting", "subject"),
        ({"subject": "Hi!!"}, "exclamation_marks", "subject"),
        ({"subject": ""}, "no_subject", "subject"),
        ({"preheader": ""}, "no_preheader", "preheader"),
        ({"text": ""}, "no_text", "text"),
        ({"html": "", "text": "x"}, "no_html", "html"),
        ({"html": GOOD.replace("color-scheme", "x")}, "no_dark_mode", "html"),
        ({"html": "<meta name=color-scheme><img src='https://x.example/a.png' alt='All'>"}, "images_only", "html"),
    ],
)
def test_what_is_said_of_the_parts(words, code, part):
    assert [(each.code, each.part) for each in found(**words)] == [(code, part)]


def test_a_subject_with_a_name_in_it_does_not_shout():
    assert "shouting" not in codes(subject="{{FIRST_NAME_OF_A_CONTACT}} hello")


def test_errors_come_first_and_each_says_its_language_and_line():
    made = checks.findings(
        Wording(Words("Hi", "", GOOD, "t"), {"de": Words("Hallo", "x", body("\n<a href='x'>y</a>"), "t")})
    )
    assert [(each.level, each.locale, each.place) for each in made] == [("error", "de", "line 2"), ("hint", "", "")]


def test_attributes_and_properties_that_were_seen_are_known():
    making.contact(attributes={"shoe_size": 42})
    SeenEvent.objects.create(
        event_type="order", property="total", value_type="number", first_seen_at=clock.now(), last_seen_at=clock.now()
    )
    assert codes(body("{{shoe_size}}{{contact.shoe_size}}{{trigger.total}}")) == set()
    assert codes(body("{{trigger.sum}}")) == {"unknown_tag"}
    assert codes(body("{{trigger.total}}"), event_type="visit") == set()  # of which nothing was seen


def test_what_an_sms_is_asked():
    assert codes("", subject="", preheader="", text="", channel="sms") == {"no_text"}
    assert codes("", subject="", preheader="", text="Hi", channel="sms") == set()


def test_links_are_asked_whether_they_are_there(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    with receiving() as server:
        server.answers(404)
        html = f'<a href="{server.url}/gone#a">x</a><a href="https://10.0.0.1/">y</a><a href="{{{{url}}}}">z</a>'
        made = checks.broken_links(Words("", "", html, ""))
        assert [(got.method, got.path) for got in server.got] == [("HEAD", "/gone")]
    assert {(each.code, each.level) for each in made} == {("broken_link", "error"), ("unchecked_link", "hint")}


@pytest.mark.parametrize(
    ("html", "hidden"),
    [
        ('<a href="{{unsubscribe_url}}">x</a>', False),
        ('<a href="{{unsubscribe_url}}" style="display:none">x</a>', True),
        ('<div style="font-size:0"><a href="{{{unsubscribe_url}}}">x</a></div>', True),
        ('<div style="font-size:0"><a href="{{unsubscribe_url}}" style="font-size:12px">x</a></div>', False),
        ('<p style="font-size:0"><a href="{{unsubscribe_url}}"><i style="font-size:12px">x</i></a></p>', False),
        ('<p style="opacity:0"><a href="{{unsubscribe_url}}">x</a></p><a href="{{unsubscribe_url}}">y</a>', False),
        ('<p style="max-height:0;overflow:hidden"><a href="{{ unsubscribe_url }}">x</a></p>', True),
        ('<div style="display:none"><a href="{{other}}">x</a></div>', False),
    ],
)
def test_a_way_out_that_nobody_sees_is_found(html, hidden):
    assert markup.hides_all(html, "unsubscribe_url") is hidden


@given(some.text(alphabet="<>/ab=\"' {}#^zmq0trdlisy!-", max_size=60))
def test_any_html_can_be_looked_at(html):
    markup.read(html)
    markup.hides_all(html + "unsubscribe_url", "unsubscribe_url")
