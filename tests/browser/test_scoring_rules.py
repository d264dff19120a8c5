"""The editor of scoring rules as somebody uses it who also reads the console: by keyboard, by mouse, as JSON."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from contacts import clock, transactions
from contacts.conditions import catalogue
from scoring.models import Ruleset
from scoring.rulesets import versions
from tests.browser.test_segments import CONTRASTS
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

PRICING = {
    "name": "Page viewed: pricing",
    "signal": {"event": "page_viewed", "where": {"field": "event.path", "op": "contains", "value": "pricing"}},
    "points": 15.0,
    "decay": {"type": "half_life", "period": "P14D"},
    "cap": None,
    "group": "",
    "repeat": {"policy": "once_per", "period": "P1D"},
    "human_only": True,
}


@pytest.fixture
def town(transactional_db) -> Inhabited:
    catalogue.forget()
    return inhabit(now=clock.now(), contacts=12)


@pytest.fixture
def draft(town) -> Ruleset:
    active = Ruleset.objects.get(state="active")
    pk = transactions.run(lambda now: versions.draft_from(active.pk, now=now, by="ben"))
    return Ruleset.objects.get(pk=pk)


def editor(draft: Ruleset) -> str:
    return reverse("admin:scoring_ruleset_change", args=[draft.pk])


def written(draft: Ruleset) -> list[dict]:
    return versions.as_written(Ruleset.objects.get(pk=draft.pk))["rules"]


def expect_saved(page, draft: Ruleset, edits: int) -> None:
    expect(page.locator("[data-save] span").last).to_have_text("Saved")
    assert Ruleset.objects.get(pk=draft.pk).edits == edits


def test_a_rule_is_written_by_keyboard_alone_and_activated(browser, live_server, draft):
    """+15 for visiting the pricing page, halves every 14 days, at most once a day."""
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page, keys = visitor.page, visitor.page.keyboard
        expect(page.locator(".rs-who")).to_have_count(10)
        page.focus("[data-add=event]")
        keys.press("Enter")  # the new rule is open, and asks for its event
        keys.type("page_viewed")
        keys.press("Tab")
        expect(page.locator(":focus")).to_have_text("filter_listOnly some of them")
        keys.press("Enter")
        keys.type("path")  # after the word that is there: event.
        keys.press("Tab")
        keys.press("Tab")  # it contains
        keys.press("Tab")  # a text
        keys.type("pricing")
        page.locator(".rs-is-open [data-part=points]").focus()
        keys.press("Control+a")
        keys.type("15")
        page.locator(".rs-is-open [data-path$='.decay'] [data-part=period]").focus()
        keys.press("Control+a")
        keys.type("14")
        page.locator(".rs-is-open [data-part=policy]").focus()
        keys.type("at most")  # a list is chosen from by its first letters
        expect(page.locator(".rs-is-open [data-said]")).to_have_text(
            "“page_viewed” happened (where its path contains “pricing”), each time; halves every 14 days; "
            "at most once a day"
        )
        expect(page.locator(".rs-is-open .rs-readings")).to_contain_text("14 days")
        expect(page.locator(".rs-is-open [data-name]")).to_have_text("Page viewed: pricing")
        keys.press("Control+s")
        expect_saved(page, draft, 1)
        assert written(draft)[-1] == PRICING
        page.focus("[data-activate]")
        keys.press("Enter")
        expect(page.locator("[data-dialog=activate] [data-words]")).to_contain_text("Under this version")
        expect(page.locator("[data-dialog=activate] .rs-changes li")).to_have_count(1)
        page.focus("[data-go]")
        keys.press("Enter")
        expect(page.get_by_text("These rules hold for everybody since")).to_be_visible()
        assert Ruleset.objects.get(pk=draft.pk).activated_by == "maya"


def test_the_effect_follows_what_is_written_and_says_why(browser, live_server, town, draft):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page = visitor.page
        note = page.locator("#rules-effect [data-note]")
        expect(note).to_have_text("None of these changes sides.")
        page.locator("[data-path='rules[2]'] [data-part=open]").click()  # decides about budgets
        for _ in range(16):
            page.locator("[data-part=more]").click()
        expect(page.locator("[data-path='rules[2]'] [data-points]")).to_have_text("+100")
        expect(page.locator(".rs-effects .cl-good").first).to_contain_text("crosses")
        page.get_by_role("textbox", name="Choose a contact").fill("ana.ruiz0")
        page.get_by_role("button", name="Ana Ruiz ana.ruiz0").click()
        first = page.locator(".rs-who").first
        expect(first).to_contain_text("Ana Ruiz")
        first.click()
        expect(page.locator(".rs-why")).to_contain_text("Open the contact")
        page.locator("[data-part=points]").fill("")
        expect(note).to_have_text("As soon as the rules are finished.")
        expect(page.locator("[data-path='rules[2].points'] .cq-problem")).to_have_text("Not finished yet")
        page.locator("[data-part=points]").fill("20")
        expect(note).to_have_text("None of these changes sides.")
        expect(page.locator("[data-save] span").last).to_have_text("Saved")


def test_rules_are_moved_copied_deleted_and_all_of_it_is_taken_back(browser, live_server, draft):
    def names(page) -> list[str]:
        return page.locator(".rs-card [data-name]").all_text_contents()

    start = ["Ordered", "Opened an email", "Decides about budgets", "Student"]
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page = visitor.page
        becomes(lambda: names(page), start, page)
        page.locator("[data-path='rules[0]'] [data-part=open]").focus()
        page.keyboard.press("Alt+ArrowDown")
        becomes(lambda: names(page)[:2], ["Opened an email", "Ordered"], page)
        expect(page.locator("[data-path='rules[1]'] [data-part=open]")).to_be_focused()
        page.locator("[data-path='rules[1]'] [data-part=duplicate]").click()
        becomes(lambda: names(page)[2], "Ordered (copy)", page)
        page.locator("[data-path='rules[3]'] [data-part=delete]").click()
        expect(page.locator("[data-toast]")).to_contain_text("“Decides about budgets” is deleted.")
        becomes(lambda: len(names(page)), 4, page)
        page.get_by_role("button", name="Undo", exact=True).last.click()  # in the message
        becomes(lambda: len(names(page)), 5, page)
        for _ in range(2):
            page.locator("[data-part=undo]").click()
        becomes(lambda: names(page), start, page)
        page.locator("[data-part=redo]").click()
        becomes(lambda: names(page)[:2], ["Opened an email", "Ordered"], page)
        page.locator("[data-part=undo]").click()
        expect(page.locator("[data-save] span").last).to_have_text("Saved")


def test_groups_limits_and_kinds_are_written_without_json(browser, live_server, draft):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page = visitor.page
        page.locator("[data-part=add-group]").click()
        page.get_by_role("textbox", name="Name of the group").fill("Mail")
        page.get_by_role("spinbutton", name="At most so many points together").fill("30")
        page.get_by_role("spinbutton", name="All in all at most").fill("150")
        page.get_by_role("spinbutton", name="Falls below at so many per cent").fill("20")
        expect(page.get_by_text("is below again under 48")).to_be_visible()
        page.get_by_label("After a crossing, rest for").check()
        page.locator("[data-path='rules[1]'] [data-part=open]").click()
        page.locator("[data-part=group]").select_option("Mail")
        page.get_by_label("Only opens and clicks of people count").uncheck()
        page.locator("[data-add=named]").click()
        page.locator(".rs-is-open [data-part=has_tag]").fill("vip")
        expect(page.locator(".rs-is-open [data-name]")).to_have_text("Tag: vip")
        page.locator("[data-add=about]").click()
        page.locator(".rs-is-open [data-part=field]").fill("job_title")
        page.keyboard.press("Tab")  # to how it compares, which depends on the field
        page.locator(".rs-is-open [data-part=value]").fill("Intern")
        page.locator(".rs-is-open [data-part=less]").click()
        page.locator(".rs-is-open [data-part=less]").click()
        page.locator(".rs-is-open [data-part=less]").click()
        expect(page.locator(".rs-is-open [data-said]")).to_have_text("job_title is “Intern”")
        page.locator("[data-save]").click()
        expect_saved(page, draft, 1)
        now = Ruleset.objects.get(pk=draft.pk)
        assert (now.groups, now.cap, now.rearm_after) == ([{"name": "Mail", "cap": 30}], 150, "P7D")
        assert now.hysteresis == pytest.approx(0.2)
        opened, tag, intern = written(draft)[1], written(draft)[4], written(draft)[5]
        assert (opened["group"], opened["human_only"]) == ("Mail", False)
        assert (tag["signal"], tag["decay"]) == ({"has_tag": "vip"}, {})
        assert (intern["name"], intern["points"]) == ("Job title: Intern", -5)


def test_the_same_is_written_as_json_and_a_mistake_leads_to_its_line(browser, live_server, draft):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page = visitor.page
        page.locator("[data-view=json]").click()
        text = page.locator("[data-part=text]")
        document = json.loads(text.input_value())
        assert document["rules"][1] == {
            "name": "Opened an email", "signal": {"event": "email_opened"}, "points": 5, "cap": 20,
        }  # fmt: skip
        text.fill('{"rules": [')
        expect(page.locator("[data-part=note]")).to_contain_text("Line 1")
        document["rules"] = [{"name": "Asked", "signal": {"event": "asked"}, "points": "many"}]
        text.fill(json.dumps(document, indent=1))
        expect(page.locator(".cl-gutter .cl-bad")).to_have_count(1)
        document["rules"][0]["points"] = 7
        text.fill(json.dumps(document))
        expect(page.locator(".cl-gutter .cl-bad")).to_have_count(0)
        page.locator("[data-view=rules]").click()
        expect(page.locator(".rs-card [data-name]")).to_have_text(["Asked"])
        page.locator("[data-save]").click()
        expect_saved(page, draft, 1)
        assert [(each["name"], each["points"]) for each in written(draft)] == [("Asked", 7)]


def test_of_two_who_edit_nobody_is_written_over(browser, live_server, draft):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page = visitor.page
        theirs = {**versions.as_written(draft), "mql_threshold": 70}
        transactions.run(lambda now: versions.change_draft(draft.pk, theirs, by="ben"))
        page.get_by_role("textbox", name="Title").fill("Mine")
        expect(page.locator("[data-saved]")).to_contain_text("ben saved this draft meanwhile")
        page.locator("[data-save]").click()
        expect(page.locator("[data-dialog=conflict]")).to_contain_text("ben saved this draft while you worked on it")
        expect(page.locator("[data-dialog=conflict]")).to_contain_text("70 points → 60 points")
        page.get_by_role("button", name="Take theirs").click()
        expect(page.get_by_role("spinbutton", name="Threshold", exact=True)).to_have_value("70")
        page.locator("[data-part=undo]").click()
        expect(page.get_by_role("textbox", name="Title")).to_have_value("Mine")
        page.locator("[data-save]").click()
        expect_saved(page, draft, 2)
        visitor.complaints[:] = [each for each in visitor.complaints if "409" not in each]  # the refusal itself


def test_what_was_not_saved_is_kept_in_the_browser(browser, live_server, draft):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(editor(draft))
        page = visitor.page
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("textbox", name="Title").fill("Not saved yet")
        expect(page.locator("[data-saved]")).to_have_text("Unsaved changes, kept in this browser")
        becomes(
            lambda: page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('carillon.ruleset.'))"),
            True,
            page,
        )
        visitor.go("/admin/scoring/ruleset/")
        visitor.go(editor(draft))
        page.get_by_role("button", name="Bring them back").click()
        expect(page.get_by_role("textbox", name="Title")).to_have_value("Not saved yet")
        page.locator("[data-save]").click()
        expect_saved(page, draft, 1)


@pytest.mark.parametrize(("dark", "width"), [(False, 390), (True, 1280)])
def test_every_text_can_be_read_and_nothing_is_wider_than_the_window(browser, live_server, draft, dark, width):
    active = Ruleset.objects.get(state="active")
    compared = f"{reverse('admin:scoring_ruleset_compare')}?from={active.pk}&to={draft.pk}"
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        pages = [reverse("admin:scoring_ruleset_changelist"), reverse("admin:scoring_ruleset_add"), compared]
        for path in (*pages, reverse("admin:scoring_ruleset_change", args=[active.pk]), editor(draft)):
            visitor.go(path)
            if path == editor(draft):
                expect(page.locator(".rs-who")).to_have_count(10)
                for card in ("rules[0]", "rules[3]"):
                    page.locator(f"[data-path='{card}'] [data-part=open]").click()
                expect(page.locator(".rs-figure")).to_have_count(1)
            contrasts = page.locator(".cl-page").evaluate(CONTRASTS)
            assert [(round(ratio, 1), text, path) for ratio, text in contrasts if ratio < 4.5] == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            unnamed = "[...document.querySelectorAll('.cl-page :is(input, select, textarea, button)')].filter((e) => "
            unnamed += "e.checkVisibility() && !e.ariaLabel && !e.labels?.length && !e.textContent.trim()).length"
            assert page.evaluate(unnamed) == 0, path
