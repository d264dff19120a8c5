"""Links to our own sites say which journey they came from, and nothing else changes."""

from __future__ import annotations

import pytest

from delivery.authoring import mustache, utm
from delivery.authoring.rendering import Words
from tests.delivery import making

QUERY = "utm_source=Bells&utm_medium=email&utm_campaign=trial&utm_content=tour"


@pytest.fixture(autouse=True)
def ours(settings):
    settings.UTM_DOMAINS, settings.UTM_SOURCE = ["shop.example"], "Bells"


def link(href: str, **values: str) -> str:
    words = utm.marked(Words("", "", f'<a class="x" href="{href}">x</a>', ""))
    told = {"medium": "email", "campaign": "trial", "content": "tour"} | values
    html = mustache.render(words.html, {"id": "a b", **utm.values(**told)}, escape=True)
    return html.split('href="')[1].split('"')[0].replace("&amp;", "&")


@pytest.mark.parametrize(
    ("href", "told"),
    [
        ("https://shop.example", f"https://shop.example?{QUERY}"),
        ("https://www.shop.example/a?b=1", f"https://www.shop.example/a?b=1&{QUERY}"),
        ("http://shop.example/a#part", f"http://shop.example/a?{QUERY}#part"),
        ("https://shop.example/{{id}}?x={{id}}#a{{#id}}b{{/id}}", f"https://shop.example/a b?x=a b&{QUERY}#ab"),
        ("https://shop.example/?utm_source=mine", "https://shop.example/?utm_source=mine"),
        ("https://other.example/", "https://other.example/"),
        ("https://shop.example.evil.example/", "https://shop.example.evil.example/"),
        ("https://notshop.example/", "https://notshop.example/"),
        ("mailto:a@shop.example", "mailto:a@shop.example"),
        ("{{unsubscribe_url}}", ""),
        ("https://{{id}}.shop.example/", "https://a b.shop.example/"),
        ("https://[shop.example/", "https://[shop.example/"),
        ("#top", "#top"),
    ],
)
def test_what_becomes_of_a_link(href, told):
    assert link(href) == told


def test_without_a_journey_a_link_is_as_it_was_written():
    assert link("https://shop.example/a?b=1", campaign="") == "https://shop.example/a?b=1"


def test_our_own_pages_are_no_campaigns(settings):
    settings.UTM_DOMAINS = ["127.0.0.1"]
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    assert link("http://127.0.0.1:8000/preferences/abc") == "http://127.0.0.1:8000/preferences/abc"
    assert "utm_campaign" in link("http://127.0.0.1:8000/pricing")


def test_links_in_plain_text_are_marked_and_other_delimiters_left_alone():
    text = utm.marked(Words("", "", "", "See https://shop.example/a, or (https://other.example).")).text
    filled = mustache.render(text, utm.values(medium="sms", campaign="t", content=""), escape=False)
    assert filled == (
        "See https://shop.example/a?utm_source=Bells&utm_medium=sms&utm_campaign=t, or (https://other.example)."
    )
    odd = "{{=<% %>=}}<a href='https://shop.example/'>x</a>"
    assert utm.marked(Words("", "", odd, "")).html == odd


def test_by_default_ours_are_the_domain_that_we_write_from_and_the_one_that_we_answer_at(settings):
    settings.UTM_DOMAINS, settings.EMAIL_FROM, settings.PUBLIC_URL = [], "hi@bells.example", "https://mail.rope.example"
    assert "utm_" in link("https://www.bells.example/") and "utm_" in link("https://mail.rope.example/x")
    assert "utm_" not in link("https://shop.example/")


@pytest.mark.django_db
def test_marketing_tells_where_it_came_from_and_nothing_else_does():
    html = '<p><a href="https://shop.example/new">New</a></p>'
    version = making.template("tour", html=html)
    plain = making.template("plain", html=html, options={"utm": False})
    sent = [
        making.message(version_id=version),
        making.message(version_id=version, message_class="transactional"),
        making.message(version_id=plain),
    ]
    making.deliver()
    tagged = ["utm_campaign=journey&amp;utm_content=hello" in making.mails(message)[0].html for message in sent]
    assert tagged == [True, False, False]
    assert 'href="https://shop.example/new"' in making.mails(sent[1])[0].html
