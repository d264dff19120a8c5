"""Test mails and the seed list: real mails, to addresses of ours alone, counted nowhere."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from contacts import clock
from delivery import notices, suppression
from delivery.authoring import previews, seeds, templates, test_sends
from delivery.authoring.test_sends import UnableToTry
from delivery.models import Message, SandboxMail, SeedAddress, SendLogEntry, StaffNotice
from tests.delivery import making

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def colleagues(settings):
    settings.TEST_SEND_DOMAINS = ["lab.example"]
    get_user_model().objects.create_user("eve", email="Eve@work.example", is_staff=True)
    get_user_model().objects.create_user("former", email="former@work.example", is_staff=True, is_active=False)
    making.template("welcome", subject="Hi {{first_name}}", locales={"de": {"subject": "Hallo {{first_name}}"}})


def send(*to: str, **given) -> list[str]:
    with transaction.atomic():
        return test_sends.send("welcome", to, now=clock.now(), **given)


def deliver(lane: str = "urgent") -> list[SandboxMail]:
    making.run(lambda: notices.deliver_batch(lane))
    return list(SandboxMail.objects.order_by("id"))


def keep(email: str, **given: str) -> SeedAddress:
    return seeds.keep(email=email, now=clock.now(), **given)


def test_a_test_mail_is_the_mail_with_a_mark_and_a_way_out_that_does_nothing():
    assert send("eve@work.example") == ["eve@work.example"]
    (mail,) = deliver()
    assert mail.subject == "[Test] Hi Ana" and "Ana" in mail.html and mail.to_address == "eve@work.example"
    assert mail.headers["X-Carillon-Test"] == "welcome"
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.headers["List-Unsubscribe"].startswith("<") and "/u/example>" in mail.headers["List-Unsubscribe"]
    assert StaffNotice.objects.get().html == ""  # its words go once it is done with


def test_it_is_no_message_of_anybodys():
    who = making.contact("ada@example.com", attributes={"first_name": "Ada"})
    send("eve@work.example", person=previews.person(str(who.public_id)), locale="de")
    assert deliver()[0].subject == "[Test] Hallo Ada"
    assert not Message.objects.exists() and not SendLogEntry.objects.exists()


def test_it_goes_to_those_who_work_here_to_seeds_and_to_domains_of_ours_alone(settings):
    keep("seed@gmail.example")
    send("eve@work.example", "EVE@work.example", "seed@gmail.example", "anybody@lab.example")
    assert {mail.to_address for mail in deliver()} == {"eve@work.example", "seed@gmail.example", "anybody@lab.example"}
    settings.EMAIL_PROVIDER = "sendgrid"
    with pytest.raises(UnableToTry) as refused:
        send("eve@work.example", "former@work.example", "ada@example.com", "a@sub.lab.example", "no address")
    assert [(fault.loc, fault.code) for fault in refused.value.faults] == [
        (("to", 1), "not_allowed"), (("to", 2), "not_allowed"), (("to", 3), "not_allowed"), (("to", 4), "no_address"),
    ]  # fmt: skip
    assert StaffNotice.objects.count() == 3


def test_while_the_sandbox_takes_the_mail_it_may_go_to_anybody():
    send("ada@example.com")
    assert [mail.to_address for mail in deliver()] == ["ada@example.com"]
    with pytest.raises(UnableToTry):
        send("no address")


@pytest.mark.parametrize("to", [[], ["a@lab.example"] * 21])
def test_it_goes_to_some_and_not_to_many(to):
    with pytest.raises(UnableToTry):
        send(*to)


@pytest.mark.django_db(transaction=True)
def test_a_suppressed_address_gets_it_only_if_it_is_that_of_whoever_asks():
    for address in ("eve@work.example", "bob@lab.example"):
        suppression.suppress(
            channel="email", address=address, scope="all", reason="hard_bounce", source="test", now=clock.now()
        )
    send("eve@work.example", "bob@lab.example", asked_by="Eve@work.example")
    assert [mail.to_address for mail in deliver()] == ["eve@work.example"]
    assert StaffNotice.objects.get(to_address="bob@lab.example").state == "suppressed"


def test_what_is_no_mail_or_cannot_be_rendered_is_refused():
    templates.save_version(slug="text", name="Text", channel="sms", text="Hi", now=clock.now())
    templates.save_version(slug="foot", name="Foot", kind="partial", html="x", now=clock.now())
    for slug, code in (("text", "no_mail"), ("foot", "no_mail"), ("nothing", "no_template")):
        with pytest.raises(UnableToTry) as refused, transaction.atomic():
            test_sends.send(slug, ["eve@work.example"], now=clock.now())
        assert [fault.code for fault in refused.value.faults] == [code]


def test_the_seed_list_gets_every_language_as_it_would_go_out():
    keep("all@lab.example")
    keep("german@lab.example", locale="de-AT")
    keep("french@lab.example", locale="fr")
    with transaction.atomic():
        done = seeds.send(["welcome"], now=clock.now())
    assert (done.mails, done.messages, done.languages) == (4, 1, 2)
    got = {(mail.to_address.split("@")[0], mail.subject) for mail in deliver("bulk")}
    assert got == {("all", "Hi Ana"), ("all", "Hallo Ana"), ("german", "Hallo Ana"), ("french", "Hi Ana")}
    assert not Message.objects.exists()


def test_an_address_is_on_the_list_once_and_can_leave_it():
    first = keep("A@lab.example", note="old")
    again = keep("a@lab.example", note="new", locale="pt_br")
    assert first.pk == again.pk and SeedAddress.objects.values_list("note", "locale").get() == ("new", "pt-BR")
    assert seeds.drop(again.pk) and not seeds.drop(again.pk)


@pytest.mark.parametrize(
    ("given", "place"),
    [({"email": "no"}, "email"), ({"locale": "?"}, "locale"), ({"note": "\x00"}, "note")],
)
def test_what_is_no_seed_is_refused(given, place):
    with pytest.raises(seeds.BadSeed) as refused:
        keep(**{"email": "a@b.example"} | given)
    assert [fault.loc for fault in refused.value.faults] == [(place,)]


def test_the_list_has_an_end(monkeypatch):
    monkeypatch.setattr(seeds, "MOST", 1)
    keep("a@lab.example")
    keep("a@lab.example", note="known")
    with pytest.raises(seeds.BadSeed):
        keep("b@lab.example")
