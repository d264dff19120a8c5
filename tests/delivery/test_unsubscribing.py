"""The link in a mail: who can make one, what GET does not do, and what POST has done when it answers."""

from __future__ import annotations

import base64
import re
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

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
    assert "ada" not in path(message) and len(path(message)) == len("/u/") + 43
