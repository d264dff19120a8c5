"""The link in a mail: who can make one, what GET does not do, and what POST has done when it answers."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts import clock
from contacts.models import Contact
from delivery import suppression
from delivery.models import Address, Feedback, Suppression
from delivery.public import unsubscribing
from tests.delivery import making

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"


def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def sent(**changes: object) -> making.Message:
    message = making.message(making.contact("ada@example.com").pk, **changes)
    making.deliver()
    return message


def path(message: making.Message) -> str:
    return f"/u/{unsubscribing.token_of(str(message.public_id))}"


def standing() -> list[tuple[str, str, str]]:
    return list(Suppression.objects.values_list("scope", "reason", "source"))


def test_the_link_in_the_mail_and_in_its_header_is_the_one_that_works(settings):
    message = sent()
    (mail,) = making.mails(message)
    assert mail.headers["List-Unsubscribe"] == f"<{settings.PUBLIC_URL}{path(message)}>"


def test_looking_changes_nothing_however_often_and_with_whatever_method():
    message = sent()
    for method in ("get", "head"):
        assert getattr(browser(), method)(path(message)).status_code == 200
    assert browser().put(path(message)).status_code == 405
    assert standing() == []


def test_the_page_sets_no_cookie_tells_no_referrer_loads_nothing_and_asks_by_a_form():
    page = browser().get(path(sent()))
    html = page.content.decode()
    assert not page.cookies
    assert page["Referrer-Policy"] == "no-referrer" and "noindex" in page["X-Robots-Tag"]
    assert "no-store" in page["Cache-Control"]
    assert '<form method="post">' in html and "<script" not in html
    assert not re.search(r"(src|href)=[\"']?https?:", html)


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_button_stops_all_marketing_to_the_address(slash):
    message = sent()
    answer = browser().post(path(message) + slash)
    assert answer.status_code == 200 and b"You are unsubscribed" in answer.content
    assert standing() == [("email", "unsubscribe", "page")]
    marketing = making.message(message.contact_id, topic="news")
    receipt = making.message(message.contact_id, message_class="transactional")
    making.deliver()
    assert making.states([marketing, receipt]) == ["suppressed:unsubscribe", "accepted"]


def test_one_click_of_a_mail_program_does_it_without_login_cookie_or_redirect():
    message = sent()
    answer = browser().post(path(message), "List-Unsubscribe=One-Click", content_type=FORM)
    assert answer.status_code == 200 and not answer.cookies
    assert standing() == [("email", "unsubscribe", "one_click")]
    assert Suppression.objects.get().message_id == message.pk


def test_it_is_recorded_once_as_feedback_and_event_of_the_message(told):
    message = sent(workflow_id=3)
    told.clear()
    for _ in range(3):
        browser().post(path(message))
    assert list(Feedback.objects.values_list("message_id", "kind", "provider")) == [
        (message.pk, "unsubscribed", "carillon")
    ]
    assert [name for name, _ in making.events(message.contact_id)] == ["email_sent", "email_unsubscribed"]
    assert [(each.kind, each.workflow_id, each.first) for each in told] == [("unsubscribed", 3, True)]
    assert len(standing()) == 1


def test_it_is_the_address_that_got_the_mail_though_the_contact_has_another_one_now():
    message = sent()
    making.change("UPDATE contacts SET email = 'new@example.com' WHERE id = %s", [message.contact_id])
    browser().post(path(message))
    assert Suppression.objects.get().address == Address.objects.get(shown="ada@example.com")


def test_a_mail_that_was_never_sent_stands_for_its_contacts_address():
    message = making.message(making.contact("ada@example.com").pk)
    browser().post(path(message))
    making.deliver()
    assert making.state(message) == "suppressed:unsubscribe"


def test_the_answer_is_the_same_for_a_token_that_we_never_made():
    message = sent()
    known, unknown, nonsense = (
        browser().post(where) for where in (path(message), f"/u/{unsubscribing.token_of(str(uuid4()))}", "/u/nonsense")
    )
    assert known.status_code == unknown.status_code == nonsense.status_code == 200
    assert known.content == unknown.content == nonsense.content
    assert len(standing()) == 1


def test_a_token_cannot_be_made_up_or_altered():
    token = unsubscribing.token_of(str(uuid4()))
    assert unsubscribing.message_named(token) is not None
    raw = bytearray(base64.urlsafe_b64decode(token + "=="))
    for at in range(len(raw)):
        forged = bytearray(raw)
        forged[at] ^= 1
        text = base64.urlsafe_b64encode(bytes(forged)).decode().rstrip("=")
        assert unsubscribing.message_named(text) is None


@given(st.text(max_size=80))
def test_no_text_is_an_error(text):
    assert unsubscribing.message_named(text) is None


def test_links_outlive_a_change_of_the_secret_key_while_the_old_one_is_kept(settings):
    public_id = str(uuid4())
    token = unsubscribing.token_of(public_id)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-secret-key"
    assert unsubscribing.message_named(token) is None
    settings.SECRET_KEY_FALLBACKS = [old]
    assert unsubscribing.message_named(token) == public_id


def test_a_link_holds_nothing_personal_and_no_number():
    message = sent()
    assert "example" not in path(message) and len(path(message)) == len("/u/") + 43


def test_undoing_takes_back_what_this_link_did_and_nothing_else():
    message, later = sent(), making.message(Contact.objects.get(email="ada@example.com").pk)
    browser().post(path(message))
    page = browser().post(path(later), {"undo": "1"})  # another mail's link did nothing that it could take back
    assert page.status_code == 200 and standing() == [("email", "unsubscribe", "page")]
    page = browser().post(path(message), {"undo": "1"})
    assert b"Your unsubscription is undone" in page.content
    assert Suppression.objects.get().released_by == "undo"
    resubscribed = Feedback.objects.get(kind="resubscribed")
    assert resubscribed.message_id == message.pk
    assert {"page": "unsubscribe", "language": "en", "ip": "127.0.0.1"}.items() <= resubscribed.detail.items()
    making.change('UPDATE contacts SET frequency_cap = \'{"per_day": null, "per_week": null}\'', [])
    after = making.message(message.contact_id)
    making.deliver()
    assert making.state(after) == "accepted"


def test_undoing_leaves_bounces_and_complaints_and_may_be_pressed_again():
    message = sent()
    suppression.suppress(
        channel="email", address="ada@example.com", scope="all", reason="complaint", source="api", now=clock.now()
    )
    for _ in range(2):
        browser().post(path(message))
        browser().post(path(message), {"undo": "1"})
        browser().post(path(message), {"undo": "1"})
    left = Suppression.objects.filter(released_at=None)
    assert list(left.values_list("reason", flat=True)) == ["complaint"]
    assert Feedback.objects.filter(kind="resubscribed").count() == 2


def test_undoing_says_the_same_for_a_token_that_we_never_made():
    known, nonsense = (browser().post(where, {"undo": "1"}) for where in (path(sent()), "/u/nonsense"))
    assert known.content == nonsense.content and known.status_code == 200


def test_the_page_leads_to_the_preference_centre_and_looking_there_changes_nothing():
    message = sent()
    answer = browser().get(path(message) + "?preferences")
    assert answer.status_code == 302 and answer["Location"] == path(message).replace("/u/", "/preferences/")
    assert answer["Referrer-Policy"] == "no-referrer" and standing() == []
    assert b'href="?preferences"' in browser().get(path(message)).content
    assert browser().post(path(message) + "?preferences").status_code == 200  # a POST is never redirected
    assert len(standing()) == 1


MULTIPART = "multipart/form-data; boundary=x"
BODIES = [
    ("List-Unsubscribe=One-Click", FORM),
    ('--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n', MULTIPART),
    ("", FORM),
    ("", MULTIPART),
    ("--x\r\nbroken", MULTIPART),
    ("a" * 300_000, MULTIPART),
    ("a=" + "b" * 3_000_000, FORM),
    ("&".join(f"f{n}=1" for n in range(3000)), FORM),
    ("\xff\xfe%zz%00", FORM),
    ("{}", "application/json"),
    ("x", "application/x-www-form-urlencoded; charset=utf-7"),
    ("x", "multipart/form-data"),
    ("x", "multipart/form-data; boundary=" + "y" * 300),
    ("x", "\x7f/\x01"),
]


@pytest.mark.parametrize(("body", "content_type"), BODIES)
def test_it_is_done_whatever_the_body_is(body, content_type):
    message = sent()
    answer = browser().post(path(message), body.encode("latin-1"), content_type=content_type)
    assert answer.status_code == 200 and not answer.cookies
    source = "one_click" if "One-Click" in body else "page"
    assert standing() == [("email", "unsubscribe", source)]


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([FORM, MULTIPART, "application/json", "text/plain", "multipart/form-data; boundary=", ""]),
    st.sampled_from(["/u/", "/preferences/"]),
    st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=60),
)
def test_no_bytes_and_no_token_are_an_error_of_ours(body, content_type, where, token):
    answer = browser().post(where + quote(token), body, content_type=content_type)
    assert answer.status_code in {200, 404, 429}
    assert browser().get(where + quote(token) + "?preferences").status_code in {200, 302, 404, 429}


def test_the_header_names_a_mailbox_where_there_is_one(settings):
    settings.UNSUBSCRIBE_MAILTO = "unsubscribe@bells.example"
    message = sent()
    (mail,) = making.mails(message)
    token = path(message).removeprefix("/u/")
    assert mail.headers["List-Unsubscribe"] == (
        f"<{settings.PUBLIC_URL}/u/{token}>, <mailto:unsubscribe@bells.example?subject={token}>"
    )
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_text_messages_link_stops_text_messages_and_not_mail():
    contact = making.contact("ada@example.com", phone="+4915112345678")
    version = making.template("text", channel="sms", subject="", html="", text="Hi {{unsubscribe_url}}")
    message = making.message(contact.pk, channel="sms", version_id=version)
    making.deliver()
    browser().post(path(message))
    assert standing() == [("sms", "unsubscribe", "page")]
    assert Suppression.objects.get().address.channel == "sms"


def test_the_page_speaks_the_contacts_language_and_is_branded(settings):
    settings.BRAND_COLOR, settings.BRAND_LOGO_URL = "#facc15", "https://cdn.bells.example/logo.png?v=1"
    settings.POSTAL_ADDRESS = "Bells Ltd, 1 High Street"
    contact = making.contact("ada@example.com", locale="ar")
    message = making.message(contact.pk)
    making.deliver()
    page = browser().get(path(message))
    html = page.content.decode()
    assert '<html lang="ar" dir="rtl">' in html and "إلغاء الاشتراك" in html
    assert "--deed: #facc15; --on-deed: #000000" in html and "Bells Ltd, 1 High Street" in html
    assert 'src="https://cdn.bells.example/logo.png?v=1"' in html
    assert "img-src data: https://cdn.bells.example/logo.png;" in page["Content-Security-Policy"]
