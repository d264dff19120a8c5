"""From a template and a contact to the words of one mail."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.authoring import plain_text, rendering
from delivery.authoring.rendering import UnableToRender, Words

URL = "https://mail.example/u/token"


def data(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "fields": {"email": "ada@example.com", "timezone": "Europe/Berlin", "id": "c-1"},
        "attributes": {"first_name": "Ada", "plan": "trial", "contact": "a trap"},
        "context": {"trigger": {"order_id": 7}},
        "unsubscribe_url": URL,
    }
    return rendering.merge_data(**(given | more))


def words(**parts: str) -> Words:
    return Words(**({"subject": "Hi", "preheader": "", "html": "<p>Hi</p>", "text": ""} | parts))


def render(*, is_marketing: bool = False, **parts: str) -> rendering.Rendered:
    return rendering.render(words(**parts), data(), is_marketing=is_marketing)


def test_a_template_may_name_the_contact_its_attributes_and_what_started_it():
    text = (
        "{{first_name}} {{contact.first_name}} {{contact.email}} {{contact.plan}} {{trigger.order_id}} {{contact.id}}"
    )
    assert render(text=text).text == "Ada Ada ada@example.com trial 7 c-1"


def test_our_own_names_win_over_attributes_of_the_same_name():
    filled = rendering.merge_data(
        fields={"email": "ada@example.com"},
        attributes={"email": "eve@example.com", "unsubscribe_url": "https://evil.example", "trigger": "x"},
        context={},
        unsubscribe_url=URL,
    )
    assert (filled["contact"]["email"], filled["unsubscribe_url"], filled["trigger"]) == ("ada@example.com", URL, {})


@pytest.mark.parametrize("value", ["a\r\nBcc: evil@x.example", "a\nb", "a\x00b", "a\u2028b", "a\x85b", "  a  "])
def test_a_subject_is_one_line_whatever_the_data(value):
    filled = data(attributes={"x": value})
    subject = rendering.render(words(subject="Hi {{x}}"), filled, is_marketing=False).subject
    assert subject.splitlines() == [subject] and "\x00" not in subject
    assert subject.startswith("Hi a")


def test_values_are_escaped_in_html_and_plain_in_text_and_subject():
    filled = data(attributes={"x": '<b>O\'Neil & "Co"</b>'})
    mail = rendering.render(words(subject="{{x}}", html="<p>{{x}}</p>", text="{{x}}"), filled, is_marketing=False)
    assert mail.subject == mail.text == '<b>O\'Neil & "Co"</b>'
    assert mail.html == "<p>&lt;b&gt;O&#39;Neil &amp; &quot;Co&quot;&lt;/b&gt;</p>"


def test_a_marketing_mail_without_the_link_gets_a_footer_with_it_inside_the_body():
    mail = render(is_marketing=True, html="<html><body><p>Hi</p></body></html>", text="Hi")
    assert mail.html.index(URL) < mail.html.index("</body>")
    assert mail.text.startswith("Hi\n\n--\n") and URL in mail.text


def test_a_marketing_mail_with_the_link_is_left_alone():
    mail = render(
        is_marketing=True, html="<a href='{{unsubscribe_url}}'>No more</a>", text="No more: {{unsubscribe_url}}"
    )
    assert mail.html == f"<a href='{URL}'>No more</a>" and mail.text == f"No more: {URL}"


def test_a_link_that_stands_only_in_a_section_that_is_not_shown_does_not_count():
    mail = render(is_marketing=True, html="{{#nobody}}{{unsubscribe_url}}{{/nobody}}<p>Hi</p>")
    assert mail.html.count(URL) == 1


def test_a_mail_that_is_not_marketing_gets_no_footer():
    assert URL not in render(html="<p>Receipt</p>").html


def test_the_preheader_stands_first_in_the_body_unless_the_template_places_it():
    mail = render(preheader="For {{first_name}}", html="<html><body class='x'><p>Hi</p></body></html>")
    assert mail.html.startswith("<html><body class='x'><div style=") and "For Ada</div><p>Hi" in mail.html
    assert render(preheader="For {{first_name}}", html="<i>{{preheader}}</i>").html == "<i>For Ada</i>"


def test_the_text_is_made_of_the_html_where_there_is_none():
    html = (
        "<html><head><title>no</title><style>p{}</style></head><body><h1>Hello</h1><p>One  line<br>two</p>"
        "<ul><li>a</li><li>b</li></ul><a href='https://x.example/y'>Look</a><script>no()</script></body></html>"
    )
    assert render(html=html).text == "Hello\n\nOne line\ntwo\n\n- a\n- b\n\nLook (https://x.example/y)"


@pytest.mark.parametrize("html", ["", "<p", "<a href=>x", "</p></div>", "&amp;&nbsp;&#x1F600;", "<li>" * 500])
def test_text_is_made_of_any_html(html):
    assert isinstance(plain_text.from_html(html), str)


@pytest.mark.parametrize("part", ["subject", "preheader", "html", "text"])
def test_a_part_that_cannot_be_rendered_is_named(part):
    with pytest.raises(UnableToRender, match=f"^{part}: "):
        rendering.render(words(**{part: "{{#open}}"}), data(), is_marketing=False)


def test_an_empty_template_is_an_empty_mail():
    mail = rendering.render(Words("", "", "", ""), data(), is_marketing=False)
    assert (mail.subject, mail.html, mail.text) == ("", "", "")
