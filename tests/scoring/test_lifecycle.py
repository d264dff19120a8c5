"""Stages: an append-only log, and the news of every move."""

import threading
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection, transaction

from analytics.health import doctor
from contacts import conditions, merging, timeline
from contacts.conditions import catalogue
from contacts.models import Contact, ContactEvent, ContactMerge
from contacts.privacy import erasing
from scoring.lifecycle import current, labels, stages
from scoring.models import CurrentStage, LifecycleEvent, StageLabel
from scoring.rulesets.rules import BadRules
from workflows.definition import phrases
from workflows.definition.sentences import step_sentence, trigger_sentence

pytestmark = pytest.mark.django_db


def move(ids, to_stage, now, **more):
    with transaction.atomic():
        return stages.move(
            contact_ids=ids, to_stage=to_stage, **({"reason": "asked for", "source": "api", "now": now} | more)
        )


def test_a_move_is_a_row_and_an_event(person, now):
    contact_id = person()
    assert move([contact_id], "lead", now) == [contact_id]
    assert move([contact_id], "customer", now, reason="paid") == [contact_id]
    rows = LifecycleEvent.objects.filter(contact_id=contact_id).order_by("id")
    assert [(row.from_stage, row.to_stage, row.reason) for row in rows] == [
        ("", "lead", "asked for"),
        ("lead", "customer", "paid"),
    ]
    told = ContactEvent.objects.filter(contact_id=contact_id, type="lifecycle_changed").order_by("id")
    assert [event.properties for event in told] == [
        {"from": "", "to": "lead", "reason": "asked for"},
        {"from": "lead", "to": "customer", "reason": "paid"},
    ]


def test_a_move_to_where_one_is_is_no_move(person, now):
    contact_id = person()
    move([contact_id], "lead", now)
    assert move([contact_id, contact_id], "lead", now) == []
    assert LifecycleEvent.objects.count() == 1


def test_going_back_is_a_new_row(person, now):
    contact_id = person()
    for stage in ("mql", "sql", "mql"):
        move([contact_id], stage, now)
    assert stages.current_stages([contact_id]) == {contact_id: "mql"}
    assert LifecycleEvent.objects.count() == 3


def test_contacts_of_other_stages_can_be_left_where_they_are(person, now):
    fresh, lead, customer = person(), person(), person()
    move([lead], "lead", now)
    move([customer], "customer", now)
    assert move([fresh, lead, customer], "mql", now, only_from=["", "lead"]) == [fresh, lead]
    assert stages.current_stages([fresh, lead, customer]) == {fresh: "mql", lead: "mql", customer: "customer"}


def test_a_stage_that_does_not_exist_is_refused(person, now):
    with pytest.raises(ValueError, match="unknown lifecycle stage"):
        move([person()], "vip", now)


def test_a_condition_may_ask_for_the_stage(person, now):
    mql, none = person(), person()
    move([mql], "lead", now)
    move([mql], "mql", now)

    def matching(**node):
        condition = conditions.parse({"field": "lifecycle_stage", **node})
        return conditions.matching_contacts(condition, contact_ids=[mql, none], now=now)

    assert matching(op="in", value=["mql", "sql"]) == {mql}
    assert matching(op="eq", value="lead") == set()
    assert matching(op="not_exists") == {none}


@pytest.mark.django_db(transaction=True)
def test_two_who_move_a_contact_at_once_move_it_once(person, now):
    contact_id = person()
    moved = []

    def work():
        try:
            moved.append(move([contact_id], "mql", now))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(moved) == [[], [], [], [contact_id]]
    assert LifecycleEvent.objects.filter(contact_id=contact_id).count() == 1


# -- who did it, and where everybody is --------------------------------------------------------------------------------


def test_who_moves_somebody_by_hand_is_remembered(person, now):
    contact_id = person()
    move([contact_id], "sql", now, source="admin", actor="staff:maya")
    move([contact_id], "opportunity", now, source="workflow:deals")
    assert list(LifecycleEvent.objects.order_by("id").values_list("source", "actor")) == [
        ("admin", "staff:maya"),
        ("workflow:deals", ""),
    ]


def test_nobody_who_was_erased_is_moved(person, now):
    contact_id = person()
    move([contact_id], "lead", now, reason="Ada asked for it")
    with transaction.atomic():
        erasing.erase(contact_id, actor="staff:maya", now=now)
    assert move([contact_id], "mql", now) == []
    assert not CurrentStage.objects.exists()
    assert LifecycleEvent.objects.get().reason == ""  # people write names into it
    assert current.compare() == 0


def test_where_everybody_is_follows_the_log_whatever_happens_to_it(person, now):
    one, other = person(), person()
    move([one, other], "lead", now)
    move([one], "mql", now + timedelta(hours=1))
    assert current.counts() == {"lead": 1, "mql": 1} and current.compare() == 0
    with transaction.atomic():
        merging.unite([other, one], source="api", actor="", now=now)
    (merged,) = CurrentStage.objects.all()
    assert merged.stage == "mql" and current.compare() == 0
    with transaction.atomic():
        merging.undo(ContactMerge.objects.get().pk, actor="", now=now)
    assert dict(CurrentStage.objects.values_list("contact_id", "stage")) == {one: "mql", other: "lead"}
    assert current.compare() == 0


def test_a_row_of_the_log_that_comes_late_does_not_move_anybody_back(person, now):
    contact_id = person()
    move([contact_id], "mql", now)
    late = LifecycleEvent.objects.get().pk - 1
    LifecycleEvent.objects.create(
        pk=late, contact_id=contact_id, to_stage="lead", reason="", source="import", occurred_at=now
    )
    assert CurrentStage.objects.get().stage == "mql" and current.compare() == 0


def test_what_is_derived_wrongly_is_found_and_derived_anew(person, now):
    one, other, third = person(), person(), person()
    move([one, other], "lead", now)
    CurrentStage.objects.filter(pk=one).update(stage="sql")
    CurrentStage.objects.filter(pk=other).delete()
    CurrentStage.objects.create(contact_id=third, stage="lead", since=now, event_id=7)
    assert current.compare() == 3
    with transaction.atomic():
        current.rebuild()
    assert current.compare() == 0
    assert dict(CurrentStage.objects.values_list("contact_id", "stage")) == {one: "lead", other: "lead"}


def test_those_who_moved_before_there_were_triggers_are_written_page_by_page(person, now, monkeypatch):
    so_far = import_module("scoring.migrations.0007_stages_so_far")
    monkeypatch.setattr(so_far, "PAGE", 2)
    people = [person() for _ in range(5)]
    move(people, "lead", now)
    move(people[1:], "mql", now)
    CurrentStage.objects.exclude(pk=people[4]).delete()
    CurrentStage.objects.update(stage="sql", event_id=LifecycleEvent.objects.last().pk + 1)  # moved in between
    Contact.objects.filter(pk=people[2]).update(erased_at=now)
    with connection.schema_editor() as editor:
        so_far.write_stages(None, editor)
    found = dict(CurrentStage.objects.values_list("contact_id", "stage"))
    assert found == {people[0]: "lead", people[1]: "mql", people[3]: "mql", people[4]: "sql"}


def test_the_doctor_looks_at_it_and_mends_it(person, now):
    move([person()], "lead", now)
    CurrentStage.objects.update(stage="sql")

    def said(*, fix: bool) -> str:
        return next(finding.said for finding in doctor.examine(fix=fix) if finding.name == "lifecycle stages")

    assert said(fix=False) == "1 contacts are said to be elsewhere than the log says"
    assert said(fix=True) == "mended"
    assert said(fix=False) == "are those of the log"


def test_who_is_in_a_stage_is_shown_page_by_page_those_who_came_last_first(person, now):
    people = [person() for _ in range(5)]
    for hours, contact_id in enumerate(people):
        move([contact_id], "mql", now + timedelta(hours=hours // 2))
    seen, before = [], None
    while True:
        page = current.members("mql", before=before, limit=2)
        seen += [member.contact_id for member in page.members]
        before = page.before
        if before is None:
            break
    assert seen == [people[4], people[3], people[2], people[1], people[0]]


# -- what stages are called --------------------------------------------------------------------------------------------


def rename(**names):
    with transaction.atomic():
        labels.rename(names)


def test_stages_are_called_as_we_call_them_until_a_company_says_otherwise():
    assert (stages.label("mql"), stages.label("opportunity"), stages.label("")) == ("MQL", "Opportunity", "None")
    rename(mql="Hot lead", opportunity="  Deal ")
    assert list(stages.labels()) == list(stages.STAGES)
    assert (stages.label("mql"), stages.label("opportunity"), stages.label("sql")) == ("Hot lead", "Deal", "SQL")
    rename(mql="")
    assert (stages.label("mql"), stages.label("opportunity")) == ("MQL", "Deal")


@pytest.mark.parametrize(
    ("names", "path"),
    [
        ({"vip": "VIP"}, "labels.vip"),
        ({"mql": "a" * 61}, "labels.mql"),
        ({"mql": "a\x00"}, "labels.mql"),
        ({"mql": "sql"}, "labels.mql"),
        ({"mql": "Same", "lead": "Same"}, "labels.lead"),
    ],
)
def test_a_name_that_would_confuse_is_refused(names, path):
    with pytest.raises(BadRules) as refused:
        rename(**names)
    assert refused.value.problems[0].path == path
    assert not StageLabel.objects.exists()


def test_two_stages_can_swap_their_names():
    rename(mql="SQL", sql="MQL")
    assert (stages.label("mql"), stages.label("sql")) == ("SQL", "MQL")


def test_a_company_finds_its_own_words_in_sentences_and_choices_and_keys_stay(person, now):
    rename(mql="Hot lead")
    chosen = next(field for field in catalogue.describe()["fields"] if field["field"] == "lifecycle_stage")
    assert {"value": "mql", "label": "Hot lead"} in chosen["choices"]
    with phrases.calling_stages(stages.labels()):
        assert "Hot lead" in trigger_sentence({"type": "lifecycle_changed", "to": "mql"})
        assert "Hot lead" in step_sentence({"type": "change_lifecycle_stage", "config": {"to": "mql"}})
    contact_id = person()
    move([contact_id], "mql", now)
    page = timeline.page(contact_id=contact_id, only="lifecycle", cursor="", limit=5)
    assert "Became Hot lead" in {entry.title for entry in page.entries}
    condition = conditions.parse({"field": "lifecycle_stage", "op": "eq", "value": "mql"})
    assert conditions.matching_contacts(condition, contact_ids=[contact_id], now=now) == {contact_id}
