"""After an erasure nothing of the person is anywhere, and every number is what it was."""

from __future__ import annotations

import json
import logging

import pytest
from django.db import connection, transaction

from analytics.counting import books
from contacts import clock, consent, holdings, merging, transactions
from contacts.consent import Consent
from contacts.merging import conflicts
from contacts.models import Contact, ContactChange, ContactEvent, ImportReject, PrivacyDeed
from contacts.privacy import erasing, tombstones
from contacts.privacy.family import NobodyThere
from delivery.models import Address, Message, Suppression
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.contacts.merging.conftest import person
from tests.contacts.privacy import life
from tests.delivery import making

pytestmark = pytest.mark.django_db(transaction=True)


def erase(contact_id: int) -> dict[str, int]:
    return dict(transactions.run(lambda now: erasing.erase(contact_id, actor="test", now=now)))


def numbers() -> dict[str, object]:
    """What a report would show: how many events of which type at which times, messages by state, enrolments."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, occurred_at, recorded_at, processed, count(*) FROM contact_events GROUP BY 1, 2, 3, 4"
        )
        events = sorted(cursor.fetchall())
        cursor.execute("SELECT kind, reason, count(*) FROM contact_send_log WHERE kind <> 'cancelled' GROUP BY 1, 2")
        log = sorted(cursor.fetchall())
        cursor.execute("SELECT kind, count(*) FROM message_feedback GROUP BY 1")
        return {"events": events, "log": log, "feedback": sorted(cursor.fetchall()), "people": Contact.objects.count()}


def test_nothing_of_them_is_left_anywhere_and_every_number_is_what_it_was(caplog):
    caplog.set_level(logging.DEBUG)
    who = life.live()
    before = life.mentions()
    assert len(before) >= 20, before  # the canary sings: else silence would prove nothing
    counted = numbers()
    assert all(book.balanced for book in books.balance())

    done = erase(who)

    assert life.mentions() == {}
    assert numbers() == counted
    assert [book for book in books.balance() if not book.balanced] == []
    assert not any(token in caplog.text.lower() for token in life.TOKENS)
    assert done["contact_events"] > 0 and done["contact_identities"] > 0
    contact = Contact.objects.get(pk=who)
    assert contact.erased_at is not None and str(contact) == f"Contact {who}"
    assert ImportReject.objects.get(line=4).row  # other people's rows are as they were


def test_every_table_that_is_declared_was_touched_by_the_life_that_the_canary_led():
    """Else a holding could be declared wrongly and the test above would not see it."""
    who = life.live()
    ids = [who, *Contact.objects.filter(merged_into=who).values_list("pk", flat=True)]
    silent = set()
    with connection.cursor() as cursor:
        for holding in holdings.all_holdings():
            cursor.execute(f"SELECT count(*) FROM {holding.table} WHERE {holding.where}", {"contacts": ids})
            if not cursor.fetchone()[0]:
                silent.add(holding.table)
    # what is worked off within seconds, what only a crossed threshold or a refused entry writes, and the deeds
    assert silent <= {
        "segment_checks", "pending_events", "score_checks", "score_sides", "score_crossings", "lifecycle_events",
        "lifecycle_current", "scoring_backtest_contacts", "entry_refusals", "privacy_deeds", "audit_entries",
    }  # fmt: skip


def test_a_mutant_that_forgets_one_table_is_found(monkeypatch):
    who = life.live()
    kept = {name: each for name, each in holdings._holdings.items() if name != "contact_changes"}
    monkeypatch.setattr(holdings, "_holdings", kept)
    erase(who)
    assert set(life.mentions()) >= {"contact_changes.new"}


def test_what_is_under_way_ends_and_nothing_is_sent():
    who = life.live()
    erase(who)
    enrolment = journeys.enrolment(who)
    assert (enrolment.state, enrolment.exit_reason, enrolment.trigger) == ("exited", "contact_erased", {})
    queued = Message.objects.latest("id")
    assert making.state(queued) == "cancelled:contact_erased"
    assert making.deliver() == 0


def test_a_suppressed_address_stays_suppressed_and_nobody_can_read_it():
    who = life.live()
    erase(who)
    assert not Address.objects.exclude(shown="").filter(shown__icontains=life.CANARY).exists()
    again = making.contact(life.EMAIL.lower())  # the same person, with a new life
    message = making.message(again.pk)
    making.deliver()
    assert making.state(message) == "suppressed:hard_bounce"
    assert Suppression.objects.filter(released_at=None).count() == 2
    api = Api(make_key("admin"))
    found = api.get("/api/v1/suppressions/", address=life.OTHER_EMAIL).json()["results"]
    assert [(each["scope"], each["address"]) for each in found] == [("email", "")]


def test_who_comes_again_is_somebody_new_of_whom_we_know_that_they_were_erased(api):
    who = life.live()
    erase(who)
    assert tombstones.is_erased("email", life.EMAIL.upper())
    assert tombstones.is_erased("external_id", life.EXTERNAL) and tombstones.is_erased("phone", life.PHONE)
    assert not tombstones.is_erased("email", "somebody@example.com")
    api.post_events({"type": "signed_up", "contact": {"external_id": life.EXTERNAL}})
    new = Contact.objects.get(external_id=life.EXTERNAL)
    assert new.pk != who and new.attributes == {}


def test_the_whole_family_goes_whichever_of_them_is_named_and_no_merge_can_be_undone():
    who = life.live()
    absorbed = Contact.objects.filter(merged_into=who).first()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contact_merges WHERE absorbed_id = %s", [absorbed.pk])
        (merge_id,) = cursor.fetchone()
    erase(absorbed.pk)
    assert Contact.objects.filter(erased_at=None, merged_into__isnull=False).count() == 0
    assert Contact.objects.get(pk=who).erased_at is not None
    with pytest.raises(merging.NotUndone), transaction.atomic():
        merging.undo(merge_id, actor="test", now=clock.now())


def test_a_second_time_there_is_nobody():
    who = life.live()
    erase(who)
    with pytest.raises(NobodyThere):
        erase(who)
    with pytest.raises(NobodyThere):
        erase(who + 1_000_000)


def test_the_deed_is_noted_without_a_word_of_what_was_there():
    who = life.live()
    erase(who)
    deed = PrivacyDeed.objects.get(contact_id=who)
    assert (deed.deed, deed.actor) == ("erase", "test")
    assert deed.counts["contact_events"] >= 5


def test_consents_stay_as_proofs_without_their_evidence():
    who = life.live()
    with connection.cursor() as cursor:
        cursor.execute("SELECT category, topic, state, recorded_at FROM consent_records ORDER BY id")
        before = cursor.fetchall()
        erase(who)
        cursor.execute("SELECT category, topic, state, recorded_at FROM consent_records ORDER BY id")
        assert cursor.fetchall() == before
        cursor.execute("SELECT count(*) FROM consent_records WHERE evidence IS NOT NULL")
        assert cursor.fetchone()[0] == 0


def test_what_comes_in_late_is_wiped_by_the_next_look():
    who = life.live()
    erase(who)
    late = ContactEvent.objects.filter(contact_id=who).first()
    making.change(
        "UPDATE contact_events SET properties = %s WHERE id = %s", [json.dumps({"name": life.CANARY}), late.pk]
    )
    making.change("UPDATE contact_send_log SET provider_said = %s WHERE contact_id = %s", [life.EMAIL, who])
    assert life.mentions() != {}
    work = {"segment_checks": 3}  # asked for by the news of the erasure, and of no use
    found = transactions.run(lambda now: erasing.wipe_late(now=now))
    assert found["contact_events"] == 1 and found["contact_send_log"] > 0
    assert life.mentions() == {}
    assert transactions.run(lambda now: erasing.wipe_late(now=now)) == work


def test_other_people_keep_everything():
    other = making.contact("bystander@example.com", attributes={"name": "By Stander"})
    journeys.track(other.pk, "page_viewed", properties={"url": "/x"})
    with transaction.atomic():
        consent.record(
            [Consent(other.pk, "marketing", "granted", evidence={"ip": "198.51.100.1"})], source="api", now=clock.now()
        )
    who = life.live()
    changes = ContactChange.objects.exclude(contact_id=who).count()
    erase(who)
    other.refresh_from_db()
    assert other.attributes == {"name": "By Stander"} and other.erased_at is None
    assert ContactEvent.objects.get(contact_id=other.pk, type="page_viewed").properties == {"url": "/x"}
    assert ContactChange.objects.exclude(contact_id=who).count() == changes


def test_whoever_was_left_apart_from_them_keeps_no_name_of_theirs():
    ada, bob = person("ada"), person("bob", "canary-name@example.com")
    person("ada", "canary-name@example.com")
    (conflict,) = conflicts.open_conflicts().conflicts
    transactions.run(lambda now: conflicts.leave_apart(conflict, now=now))
    erase(bob)
    said = ContactChange.objects.filter(contact_id=ada).values_list("kind", "old", "new")
    assert ("left_apart", None, None) in said
    assert "canary-name" not in str(list(said))
