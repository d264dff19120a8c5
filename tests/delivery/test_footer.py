"""What every marketing mail shows below, whatever its template says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.authoring import rendering
from delivery.authoring.footer import Footer
from delivery.authoring.rendering import Words
from delivery.public.languages import WORDINGS, language
from tests.delivery import making

UNSUBSCRIBE, CHOOSE = "https://bells.example/u/t0ken", "https://bells.example/preferences/t0ken"
ADDRESS = "O'Neil & Sons <Ltd>, 1 High Street"
FOOTER = Footer(UNSUBSCRIBE, CHOOSE, ADDRESS, language("en"))


def test_a_mail_without_anything_gets_all_of_it_inside_its_body():
    html = FOOTER.below_html("<html><body><p>Hi</p></BODY ></html>")
    assert html.endswith("</BODY ></html>")
    for shown in (f'href="{UNSUBSCRIBE}"', f'href="{CHOOSE}"', "O&#x27;Neil &amp; Sons &lt;Ltd&gt;, 1 High Street"):
        assert html.count(shown) == 1 and html.index(shown) < html.index("</BODY")
    text = FOOTER.below_text("Hi\n")
    assert text.startswith("Hi\n\n--\n") and all(each in text for each in (UNSUBSCRIBE, CHOOSE, ADDRESS))


def test_what_the_template_places_itself_is_not_said_twice():
    html = f"<p><a href='{UNSUBSCRIBE}'>Stop</a></p>"
    assert FOOTER.below_html(html).count(UNSUBSCRIBE) == 1 and CHOOSE in FOOTER.below_html(html)
    address = "O&#39;Neil &amp; Sons &lt;Ltd&gt;,\n 1 High Street"
    whole = f"<p><a href='{UNSUBSCRIBE}'>Stop</a> <a href='{CHOOSE}'>Choose</a> {address}</p>"
    assert FOOTER.below_html(whole) == whole
    said = f"{UNSUBSCRIBE} {CHOOSE}\nO'Neil & Sons <Ltd>,\n1 High Street"
    assert FOOTER.below_text(said) == said


def test_what_stands_in_a_comment_only_is_added_all_the_same():
    html = FOOTER.below_html(f"<p>Hi</p><!-- {UNSUBSCRIBE} {CHOOSE}\n{ADDRESS} -->")
    assert f'href="{UNSUBSCRIBE}"' in html and f'href="{CHOOSE}"' in html


def test_what_there_is_not_is_not_shown():
    bare = replace(FOOTER, preferences_url="", postal_address="")
    assert "·" not in bare.below_html("<p>Hi</p>") and "Choose" not in bare.below_text("Hi")


@pytest.mark.parametrize("code", WORDINGS)
def test_it_speaks_the_contacts_language(code):
    footer = replace(FOOTER, language=language(code))
    words = WORDINGS[code]
    html = footer.below_html("")
    assert words.footer_unsubscribe in html and words.footer_preferences in html
    assert ('dir="rtl"' in html) is words.is_rtl
    assert words.footer_question in footer.below_text("")


@pytest.mark.django_db
def test_a_sent_mail_ends_in_its_readers_language_with_links_that_work(settings, client):
    settings.POSTAL_ADDRESS = "Bells Ltd, 1 High Street"
    contact = making.contact("ada@example.com", locale="de-AT", attributes={"first_name": "Ada"})
    message = making.message(contact.pk)
    making.deliver()
    (mail,) = making.mails(message)
    assert "Auswählen, was Sie bekommen" in mail.html and "Auswählen, was Sie bekommen" in mail.text
    assert "Bells Ltd, 1 High Street" in mail.html and "Bells Ltd, 1 High Street" in mail.text
    url = next(part for part in mail.text.split() if "/preferences/" in part)
    assert client.get(url.removeprefix(settings.PUBLIC_URL)).status_code == 200


@pytest.mark.django_db
def test_mail_that_is_not_marketing_has_no_footer():
    message = making.message(message_class="transactional")
    making.deliver()
    (mail,) = making.mails(message)
    assert "/preferences/" not in mail.html + mail.text and "/u/" not in mail.html + mail.text


def test_a_template_may_place_the_links_and_the_address(settings):
    settings.POSTAL_ADDRESS, settings.BRAND_NAME = "Bells Ltd", "Bells"
    data = rendering.merge_data(
        fields={"locale": ""}, attributes={}, context={}, unsubscribe_url=UNSUBSCRIBE, preferences_url=CHOOSE
    )
    html = "<a href='{{preferences_url}}'>{{brand_name}}</a> <a href='{{unsubscribe_url}}'>x</a> {{postal_address}}"
    filled = rendering.render(Words("s", "", html, ""), data, is_marketing=True)
    assert filled.html == f"<a href='{CHOOSE}'>Bells</a> <a href='{UNSUBSCRIBE}'>x</a> Bells Ltd"
