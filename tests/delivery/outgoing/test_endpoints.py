"""Endpoints: what they may be, what they hear of, and their secrets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import awaited, clock, consent, transactions
from contacts.models import AuditEntry, PendingEvent
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import endpoints, hearing, sealing, signatures
from delivery.outgoing.endpoints import BadEndpoint
from tests import journeys
from tests.delivery.outgoing.conftest import add, due_again, post, row, states
from tests.delivery.outgoing.standard import verifies
from tests.journeys import definition, step
from workflows import intake

pytestmark = pytest.mark.django_db(transaction=True)

ABROAD = "https://hooks.example.com/in?key=hush"


def heard() -> list[tuple[int, str]]:
    return list(EndpointDelivery.objects.order_by("pk").values_list("endpoint_id", "event_type"))


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"url": "http://hooks.example.com/"}, "url", "not_https"),
        ({"url": "https://10.0.0.8/"}, "url", "private_address"),
        ({"url": "https://localhost/"}, "url", "private_address"),
        ({"url": "https://user:pass@hooks.example.com/"}, "url", "bad_url"),
        ({"url": ABROAD, "event_types": []}, "event_types", "required"),
        ({"url": ABROAD, "event_types": [" x"]}, "event_types", "event_type"),
        ({"url": ABROAD, "event_types": ["x" * 201]}, "event_types", "event_type"),
        ({"url": ABROAD, "event_types": [f"t{n}" for n in range(101)]}, "event_types", "too_many"),
        ({"url": ABROAD, "description": "x" * 201}, "description", "description"),
    ],
)
def test_what_cannot_be_an_endpoint_is_said_at_its_field(given, field, code):
    with pytest.raises(BadEndpoint) as caught, transaction.atomic():
        endpoints.add(**{"event_types": ["signed_up"], **given}, now=clock.now())
    assert [(fault.loc[0], fault.code) for fault in caught.value.faults] == [(field, code)]
    assert not WebhookEndpoint.objects.exists() and awaited.declared("webhook_endpoint:") == {}


def test_there_is_an_end_to_their_number(monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 1)
    first = add(ABROAD)
    with pytest.raises(BadEndpoint, match="1 endpoints already"):
        add(ABROAD)
    transactions.run(lambda now: endpoints.remove(first.id, now=now))
    add(ABROAD)


def test_an_endpoint_hears_of_its_types_alone_and_one_of_all(server):
    some, every = add(server.url, "signed_up", "left"), add(server.url, "*", "signed_up")
    ada = journeys.contact()
    journeys.track(ada.pk, "signed_up")
    journeys.track(ada.pk, "viewed")
    assert sorted(heard()) == sorted([(some.id, "signed_up"), (every.id, "signed_up"), (every.id, "viewed")])
    assert row(every).event_types == ["*"]


def test_what_starts_no_journey_is_not_heard_of(server):
    add(server.url, "signed_up")
    ada, bob = journeys.contact(), journeys.contact("bob@example.com")
    with transaction.atomic():
        denied = [consent.Consent(bob.pk, "tracking", consent.DENIED)]
        consent.record(denied, source="api", now=clock.now())
    journeys.track(bob.pk, "signed_up")
    journeys.track(ada.pk, "signed_up", occurred_at=clock.now() - timedelta(days=31))
    assert heard() == []
    journeys.track(ada.pk, "signed_up", occurred_at=clock.now() - timedelta(days=29))
    assert len(heard()) == 1


def test_where_nobody_awaits_an_event_nothing_is_asked(server):
    add(server.url, "signed_up")
    ada = journeys.contact()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        journeys.track(ada.pk, "viewed")
    assert not [each for each in asked if "webhook_deliveries" in each["sql"]]
    many = journeys.contacts(200)
    with CaptureQueriesContext(connection) as asked:
        journeys.track(many, "signed_up")
    assert len([each for each in asked if "webhook_deliveries" in each["sql"]]) == 1
    assert len(heard()) == 200


def test_what_only_an_endpoint_awaits_leaves_the_queue_of_intake_at_once(server):
    add(server.url, "*")
    journeys.track(journeys.contact().pk, "signed_up")
    assert PendingEvent.objects.exists()
    while intake.match_batch(lane="urgent"):
        pass
    assert not PendingEvent.objects.exists()


def test_what_we_say_ourselves_is_heard_of_too_also_what_a_step_brought_about(server):
    add(server.url, "tag_added")
    journeys.publish(definition({"tag": step("add_tag", tag="x")}))
    bob = journeys.contact()
    denied = [consent.Consent(bob.pk, "tracking", consent.DENIED)]
    journeys.track(bob.pk, "signed_up")
    transactions.run(lambda now: consent.record(denied, source="api", now=now))  # what is ours is never held
    journeys.run()
    assert [kind for _, kind in heard()] == ["tag_added"]
    post()
    assert server.got[0].json["data"]["properties"]["tag"] == "x"


def test_an_event_that_is_not_committed_is_not_sent(server):
    add(server.url)
    ada = journeys.contact()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        journeys.track(ada.pk, "signed_up")
        raise ZeroDivisionError
    post()
    assert server.got == [] and heard() == []


def test_a_duplicate_event_is_sent_once(server):
    add(server.url)
    ada = journeys.contact()
    for _ in range(2):
        journeys.track(ada.pk, "signed_up", key="one")
    post()
    assert len(server.got) == 1


def test_a_disabled_endpoint_hears_nothing_new_and_what_was_queued_goes_on_once_it_is_enabled(server):
    made = add(server.url)
    ada = journeys.contact()
    journeys.track(ada.pk, "signed_up", key="before")
    assert transactions.run(lambda now: endpoints.disable(made.id, now=now)) is True
    assert transactions.run(lambda now: endpoints.disable(made.id, now=now)) is False
    journeys.track(ada.pk, "signed_up", key="meanwhile")
    post()
    assert server.got == [] and states() == ["queued"]
    assert awaited.declared("webhook_endpoint:") == {}
    transactions.run(lambda now: endpoints.enable(made.id, now=now))
    journeys.track(ada.pk, "signed_up", key="after")
    post()
    assert len(server.got) == 2 and states() == ["delivered", "delivered"]


def test_what_others_still_hear_of_is_not_queued_for_who_is_disabled_or_removed(server):
    off, gone, on = add(server.url), add(server.url), add(server.url)
    transactions.run(lambda now: endpoints.disable(off.id, now=now))
    transactions.run(lambda now: endpoints.remove(gone.id, now=now))
    journeys.track(journeys.contact().pk, "signed_up")
    assert heard() == [(on.id, "signed_up")]


def test_a_removed_endpoint_is_told_nothing_and_keeps_no_secret(server):
    made = add(server.url)
    journeys.track(journeys.contact().pk, "signed_up")
    transactions.run(lambda now: endpoints.remove(made.id, now=now))
    post()
    assert server.got == [] and row(made).sealed_secret == ""
    for deed in (endpoints.disable, endpoints.enable, endpoints.remove, endpoints.rotate_secret, hearing.ping):
        with pytest.raises(LookupError):
            transactions.run(lambda now, deed=deed: deed(made.id, now=now))


def test_a_changed_endpoint_hears_of_other_types_at_another_address(server):
    made = add("http://127.0.0.1:9/nobody", "signed_up")
    ada = journeys.contact()
    journeys.track(ada.pk, "signed_up")
    changes = {"url": f"{server.url}/new", "event_types": ["left"], "description": " CRM "}
    transactions.run(lambda now: endpoints.change(made.id, **changes, now=now))
    journeys.track(ada.pk, "signed_up", key="2")
    journeys.track(ada.pk, "left")
    post()
    # both calls are under way at once, and nobody promises which one comes first
    assert sorted((got.path, got.json["type"]) for got in server.got) == [("/new", "left"), ("/new", "signed_up")]
    assert row(made).description == "CRM"


def test_secrets_lie_sealed_and_are_of_enough_bytes():
    made = add(ABROAD)
    assert made.secret.startswith("whsec_") and len(signatures.key_of(made.secret)) >= 24
    assert made.secret not in repr(made)
    stored = row(made).sealed_secret
    assert made.secret.removeprefix("whsec_") not in stored and sealing.unseal(stored) == made.secret


def test_after_a_rotation_both_secrets_sign_until_the_overlap_is_over(server):
    made = add(server.url)
    ada = journeys.contact()
    new = transactions.run(lambda now: endpoints.rotate_secret(made.id, now=now))
    journeys.track(ada.pk, "signed_up", key="1")
    post()
    assert verifies(server.got[0], made.secret) and verifies(server.got[0], new.secret)
    WebhookEndpoint.objects.update(old_secret_until=clock.now() - timedelta(seconds=1))
    journeys.track(ada.pk, "signed_up", key="2")
    post()
    assert not verifies(server.got[1], made.secret) and verifies(server.got[1], new.secret)
    newest = transactions.run(lambda now: endpoints.rotate_secret(made.id, overlap=timedelta(0), now=now))
    journeys.track(ada.pk, "signed_up", key="3")
    post()
    assert not verifies(server.got[2], new.secret) and verifies(server.got[2], newest.secret)
    with pytest.raises(BadEndpoint):
        transactions.run(lambda now: endpoints.rotate_secret(made.id, overlap=timedelta(days=8), now=now))


def test_what_was_sealed_under_an_earlier_key_is_read_and_can_be_sealed_anew(server, settings):
    made = add(server.url)
    earlier = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [earlier]
    journeys.track(journeys.contact().pk, "signed_up")
    post()
    assert verifies(server.got[0], made.secret)
    call_command("reseal_secrets", dry_run=True)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(CommandError, match=str(made.id)):
        call_command("reseal_secrets")
    settings.SECRET_KEY_FALLBACKS = [earlier]
    call_command("reseal_secrets")
    settings.SECRET_KEY_FALLBACKS = []
    assert sealing.unseal(row(made).sealed_secret) == made.secret


def test_an_endpoint_whose_secret_is_lost_is_disabled_until_it_has_a_new_one(server):
    made = add(server.url)
    WebhookEndpoint.objects.update(sealed_secret=Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    journeys.track(journeys.contact().pk, "signed_up")
    post()
    assert (row(made).state, row(made).disabled_reason, server.got) == ("disabled", "secret_lost", [])
    with pytest.raises(BadEndpoint, match="rotate"):
        transactions.run(lambda now: endpoints.enable(made.id, now=now))
    new = transactions.run(lambda now: endpoints.rotate_secret(made.id, now=now))
    transactions.run(lambda now: endpoints.enable(made.id, now=now))
    due_again()
    post()
    assert verifies(server.got[0], new.secret)


def test_every_change_is_in_the_audit_log_and_no_secret_nor_the_address_is():
    made = add(ABROAD)
    for deed in (
        lambda now: endpoints.change(made.id, url="https://other.example.com/?key=mum", now=now),
        lambda now: endpoints.rotate_secret(made.id, now=now),
        lambda now: endpoints.disable(made.id, now=now),
        lambda now: endpoints.enable(made.id, now=now),
        lambda now: endpoints.remove(made.id, now=now),
    ):
        transactions.run(deed)
    entries = list(AuditEntry.objects.filter(object_type="webhook_endpoint").order_by("pk"))
    assert [each.what.partition(".")[2] for each in entries] == [
        "added", "changed", "secret_rotated", "disabled", "enabled", "removed",
    ]  # fmt: skip
    said = str([(each.before, each.after, each.object_name) for each in entries])
    assert "hush" not in said and "mum" not in said and "whsec" not in said and "other.example.com" in said
