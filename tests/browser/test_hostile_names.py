"""Issue 8, must hold: whatever a person, a key, a file or a mail provider gave as a name is text on every page. No
dialog, no report of the content policy, no element that came out of a name."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse

from contacts import clock
from contacts.spreadsheets import is_dangerous
from tests.browser.pages import PAGES, open_page
from tests.browser.visit import Visitor, expect, visiting
from tests.contacts.conftest import event, record
from tests.inhabited import hostile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

WATCH = """
    window.broken = [];
    window.alert = (said) => window.broken.push(`alert ${said}`);
    addEventListener("securitypolicyviolation", (event) => window.broken.push(
        `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
# In the document and in every shadow root. What a mail shows stands in a sandboxed frame of its own.
BORN = """([mark, sum]) => {
    const roots = [document];
    for (const root of roots) {
        for (const each of root.querySelectorAll("*")) if (each.shadowRoot) roots.push(each.shadowRoot);
    }
    const wrong = `[${mark}], img[src="x"], [onerror], [onload], [href^="javascript:" i], [src^="javascript:" i], ` +
        `[action^="javascript:" i], [formaction]`;
    const born = roots.flatMap((root) => [...root.querySelectorAll(wrong)]).map((each) => each.outerHTML.slice(0, 200));
    return [...window.broken, ...born, ...(document.body.innerText.includes(sum) ? ["something was worked out"] : [])];
}"""


# what a spreadsheet is given; whose cells it would run as formulas begin with an apostrophe
FILES: dict[str, tuple[str, ...]] = {
    "delivery_suppression_export": (),
    "scoring_leaderboard_export": (),
    "contacts_importrun_rejects": ("import_done",),
}


def downloaded(client, path: str) -> list[list[str]]:
    answer = client.get(path)
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/csv"), path
    return list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))


def look(visitor: Visitor, about: str) -> list[str]:
    """Everything that a name did on the page as it stands."""
    return [f"{about}: {found}" for found in visitor.page.evaluate(BORN, [f"data-{hostile.MARK}", hostile.SUM])]


def test_a_hostile_name_is_text_on_every_page_and_in_every_file(browser, live_server, lively, client):
    hostile.take_over(now=clock.now())
    client.force_login(lively.town.superuser)
    for name, arguments in FILES.items():
        rows = downloaded(client, reverse(f"admin:{name}", args=[lively.ids[each] for each in arguments]))
        assert any("alert" in cell for row in rows for cell in row), f"{name}: there is no hostile name in it"
        assert [cell for row in rows for cell in row if is_dangerous(cell) and not cell.startswith("'")] == [], name
    with visiting(browser, live_server.url) as visitor:
        page, found = visitor.page, []
        page.add_init_script(WATCH)
        page.on("dialog", lambda dialog: _answer(dialog, found))
        for each in PAGES:
            if each.public:
                continue
            open_page(visitor, each, lively)
            found += look(visitor, each.name)
            found += [f"{each.name}: {said}" for said in visitor.complaints if not _is_of_a_mail(said)]
            visitor.complaints.clear()
        visitor.go(reverse("admin:contacts_contactevent_live"))
        expect(page.locator("#live-status")).to_contain_text("Live")
        for word in hostile.WORDS:  # while somebody looks
            record(event(lively.town.ana.pk, word, properties={word: word}, key=word), now=clock.now())
        for word in hostile.WORDS[:3]:
            expect(page.locator("#live tbody tr.cl-fresh", has_text=word).first).to_be_attached()
        found += look(visitor, "live events")
        assert found == [], "\n".join(found)

        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<b data-boo onclick=alert(1)>{{</b>')")
        assert len(look(visitor, "what is wrong is seen")) == 2
        visitor.complaints.clear()


def _is_of_a_mail(said: str) -> bool:
    """The frame in which a mail is shown keeps its scripts from running, and says so; its pictures are asked for."""
    return "'about:srcdoc'" in said or said.endswith("/x")


def _answer(dialog, found: list[str]) -> None:
    if dialog.type != "beforeunload":  # the browser's own question, whether to leave what is not saved
        found.append(f"a dialog: {dialog.message}")
    dialog.accept()
