"""A bad file is told by its places, all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.journey_tests.playing import ADA, WORKFLOW, at, case, signed_up
from workflows.journey_tests import document
from workflows.journey_tests.document import BadTestFile


def _file(**parts: Any) -> dict[str, Any]:
    return {"workflow": WORKFLOW, "contacts": [ADA], "cases": [case(signed_up())], **parts}


def _faults(raw: Any) -> list[str]:
    with pytest.raises(BadTestFile) as caught:
        document.understand(raw)
    return [document.said(fault) for fault in caught.value.faults]


def _when(moment: Any) -> dict[str, Any]:
    return _file(cases=[{"name": "case", "when": [moment]}])


def _then(moment: Any) -> dict[str, Any]:
    return _file(cases=[{"name": "case", "then": [moment]}])


def test_a_file_is_yaml_or_json_and_keeps_its_order() -> None:
    found = document.read(
        """
        workflow: {slug: welcome}
        contacts: [{id: ada}]
        cases:
          - name: late first
            when:
              - {at: 2025-03-08T16:00:00+01:00, tick: true}
              - {at: 2025-03-08T12:00:00Z, track: {contact: ada, type: signed_up}}
        """
    )
    (only,) = found.cases
    assert [(deed.kind, deed.at.isoformat(), deed.place) for deed in only.when] == [
        ("track", "2025-03-08T12:00:00+00:00", "cases[0].when[1]"),
        ("tick", "2025-03-08T15:00:00+00:00", "cases[0].when[0]"),
    ]
    assert found.slug == "welcome"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "expected a mapping with `workflow` and `cases`"),
        (_file(workflow=None), "workflow: expected a definition with a slug"),
        (
            _file(case=[]),
            "case: is none of cases, category, contacts, description, lists",
        ),
        (_file(contacts={}), "contacts: expected a list"),
        (_file(contacts=[ADA, "bob"]), "contacts[1]: expected a mapping"),
        (_file(contacts=[ADA, {"email": "x@example.com"}]), "contacts[1].id: expected a text"),
        (_file(contacts=[ADA, ADA]), "contacts[1].id: there is a contact 'ada' already"),
        (_file(cases=[case(signed_up()), case(signed_up())]), "cases[1].name: there is a case 'case' already"),
        (_file(cases=[{"name": "case"}]), "cases[0]: a case needs something under `when` or `then`"),
        (_file(cases=[{"when": [signed_up()]}]), "cases[0].name: expected a text"),
        (
            _file(cases=[{"name": "a", "when": [signed_up()], "expect": []}]),
            "cases[0].expect: is none of name, when, then",
        ),
        (_file(rules="none"), "rules: expected a list of scoring rules"),
        (_file(lists=[1]), "lists: expected a list of slugs"),
        (_when({"tick": True}), "cases[0].when[0].at: expected an instant such as 2025-03-08T15:00:00Z"),
        (_when({"at": "2025-03-08T15:00:00", "tick": True}), "cases[0].when[0].at: must name its zone"),
        (_when(at("09:00", tick="yes")), "cases[0].when[0].tick: expected true"),
        (_when(at("09:00", track=[])), "cases[0].when[0].track: expected a mapping"),
        (_when(at("09:00", track={"contact": "ada"})), "cases[0].when[0].track.type: is missing"),
        (_when(at("09:00", track={"contact": "ada", "type": ""})), "cases[0].when[0].track.type: expected a text"),
        (_when(signed_up(color="red")), "cases[0].when[0].track.color: is none of contact, event_id, properties, type"),
        (_when(at("09:00", add_tag={"contact": "eve", "tag": "a"})), "add_tag.contact: there is no contact 'eve'"),
        (_when(at("09:00", consent={"contact": "ada"})), "say tracking or marketing: granted or denied"),
        (
            _when(at("09:00", consent={"contact": "ada", "tracking": "no"})),
            "consent.tracking: expected granted or denied",
        ),
        (_when(at("09:00", sing={})), "cases[0].when[0]: expected exactly one of track, update_contact"),
        (_when({**signed_up(), "tick": True}), "found track, tick"),
        (
            _then(at("09:00", sent={"contact": "ada", "template": "a", "times": -1})),
            "sent.times: expected a whole number",
        ),
        (_then(at("09:00", enrolment={"contact": "ada", "state": "done"})), "enrolment.state: expected one of pending"),
        (_then(at("09:00", wake={"contact": "ada", "at": "soon"})), "wake.at: expected an instant or null"),
        (_then(at("09:00", wake={"contact": "ada"})), "wake.at: is missing"),
        (_then(at("09:00", score={"contact": "ada", "value": "8"})), "score.value: expected a number"),
        (_then(at("09:00", tag={"contact": "ada", "tag": "a", "present": 1})), "tag.present: expected true or false"),
        (_then(at("09:00", count={"enrolments": True})), "count.enrolments: expected a whole number"),
        (_then(at("09:00", track={"contact": "ada", "type": "a"})), "expected exactly one of sent, not_sent"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(raw: Any, said: str) -> None:
    (found,) = _faults(raw)
    assert said in found


def test_all_that_is_wrong_is_told_at_once() -> None:
    raw = _file(contacts=[{}], cases=[{"name": "a", "when": [at("09:00", tick=1)], "then": [at("09:00", tag={})]}])
    assert len(_faults(raw)) == 4


def test_whoever_is_first_heard_of_in_a_case_may_be_asked_about() -> None:
    newcomer = case(signed_up(contact="eve"), at("09:00", tag={"contact": "eve", "tag": "a"}))
    assert document.understand(_file(cases=[newcomer])).cases[0].then[0].said["contact"] == "eve"


@pytest.mark.parametrize("text", ["{", "a: b: c", "\x00", "- [" * 2000])
def test_what_is_neither_yaml_nor_json_is_told_with_line_and_column(text: str) -> None:
    with pytest.raises(BadTestFile, match="neither YAML nor JSON"):
        document.read(text)


def test_a_webhook_has_a_name_that_the_provider_uses() -> None:
    moment = at("09:00", webhook={"contact": "ada", "event": "opened"})
    (said,) = _faults(_when(moment))
    assert said.startswith("cases[0].when[0].webhook.event: expected one of processed, deferred, delivered, ")
    assert document.understand(_when(at("09:00", webhook={"contact": "ada", "event": "open"}))).cases
