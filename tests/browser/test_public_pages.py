"""The pages behind the links in mails, as somebody opens them: without scripts, by keyboard, enlarged, in any theme."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from contacts.models import ConsentRecord
from delivery.models import Suppression
from delivery.public import unsubscribing
from tests.browser.visit import Visitor, expect
from tests.delivery import making

pytestmark = pytest.mark.django_db(transaction=True)

THEMES = ["light", "dark"]
SHOTS = os.environ.get("SHOTS")  # a folder, to look at the pages


@pytest.fixture
def token(settings) -> str:
    settings.TOPICS = {"newsletter": "Newsletter", "newsletter.ar": "النشرة", "offers": "Offers and sales"}
    message = making.message(making.contact("ada@example.com", phone="+4915112345678").pk)
    making.deliver()
    return unsubscribing.token_of(str(message.public_id))


@pytest.fixture
def visit(browser, live_server):
    """Opens a path in a browser without scripts; whatever a page complains about is an error."""
    contexts = []

    def opened(
        path: str, *, theme: str = "light", width: int = 390, language: str = "en-GB", zoom: float = 1.0
    ) -> Visitor:
        context = browser.new_context(
            viewport={"width": round(width / zoom), "height": round(800 / zoom)},
            device_scale_factor=zoom,
            color_scheme=theme,
            java_script_enabled=False,
            locale=language,
        )
        contexts.append(context)
        visitor = Visitor(context.new_page(), live_server.url)
        visitor.go(path)
        return visitor

    yield opened
    for context in contexts:
        context.close()


def shot(visitor: Visitor, name: str) -> None:
    if SHOTS:
        visitor.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def is_as_wide_as_its_window(visitor: Visitor) -> bool:
    """Nothing has to be scrolled sideways."""
    right = max(
        box["x"] + box["width"]
        for element in visitor.page.locator("main, main *, footer").all()
        if (box := element.bounding_box())
    )
    return right <= visitor.page.viewport_size["width"] + 0.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("width", "language", "zoom"), [(390, "en-GB", 1), (1280, "en-GB", 1), (390, "ar", 1), (640, "de", 2)]
)
def test_every_page_fits_whatever_the_window_the_language_and_the_theme(
    visit, token, settings, theme, width, language, zoom
):
    settings.POSTAL_ADDRESS = "Bells Ltd, 1 High Street, London"
    if theme == "dark":
        settings.BRAND_COLOR = "#1d4ed8"
    for name, path in [
        ("preferences", f"/preferences/{token}"), ("unsubscribe", f"/u/{token}"), ("unknown", "/preferences/nonsense")
    ]:  # fmt: skip
        visitor = visit(path, theme=theme, width=width, language=language, zoom=zoom)
        assert is_as_wide_as_its_window(visitor)
        shot(visitor, f"{name}_{language}_{width}_{zoom}_{theme}")
        assert visitor.complaints == []


def test_choices_are_made_and_saved_by_keyboard_alone(visit, token):
    visitor = visit(f"/preferences/{token}")
    page = visitor.page
    expect(page.get_by_role("group", name="Topics").get_by_role("checkbox")).to_have_count(3)
    expect(page.get_by_role("group", name="How we reach you").get_by_role("checkbox")).to_have_count(2)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the first topic
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # of the frequencies the third
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status]")
    shot(visitor, "saved")
    expect(page.get_by_role("status")).to_have_text("Your choices are saved.")
    expect(page).to_have_title(re.compile(r"^Your choices are saved\."))
    expect(page.get_by_role("checkbox", name="Newsletter")).not_to_be_checked()
    expect(page.get_by_role("radio", name="One mail a week")).to_be_checked()
    assert visitor.complaints == []
    assert ConsentRecord.objects.get(topic="newsletter").state == "denied"


def test_what_was_said_stands_out_at_once_for_whoever_hears_the_page(visit, token):
    visitor = visit(f"/preferences/{token}")
    visitor.page.get_by_role("button", name="Switch everything off").click()
    status = visitor.page.get_by_role("status")
    expect(status).to_contain_text("Everything is switched off")
    expect(status).to_be_focused()
    shot(visitor, "switched_off")


def test_an_unsubscription_can_be_taken_back_and_leads_to_the_choices(visit, token):
    visitor = visit(f"/u/{token}")
    visitor.page.get_by_role("button", name="Unsubscribe").click()
    status = visitor.page.get_by_role("status")
    expect(status).to_have_text("You are unsubscribed")
    shot(visitor, "unsubscribed")
    assert Suppression.objects.filter(released_at=None).count() == 1
    visitor.page.get_by_role("button", name="That was a mistake").click()
    expect(status).to_have_text("Your unsubscription is undone")
    assert Suppression.objects.filter(released_at=None).count() == 0
    visitor.page.get_by_role("link", name="Choose what you get").click()
    expect(visitor.page.get_by_role("checkbox", name="E-mail")).to_be_checked()
    assert visitor.complaints == []
