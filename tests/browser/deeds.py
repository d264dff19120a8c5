"""What opens a panel, a menu or a dialog of a page, each waiting until it is there to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.visit import PASSWORD, expect


def menu(page: Any) -> None:
    page.locator(".jb-plus[data-port]").first.click()
    expect(page.locator("#builder-menu")).to_be_visible()


def panel(step: str) -> Callable[[Any], None]:
    """Of a step, or of a part such as `.trigger`."""

    def opens(page: Any) -> None:
        page.locator(f'[id="card-{step}"] .jb-hit').click()
        expect(page.locator("#builder-panel form")).to_be_visible()

    return opens


def settings(page: Any) -> None:
    more(page)
    page.locator("#builder-others [data-panel='.settings']").click()
    expect(page.locator("#builder-panel form")).to_be_visible()


def more(page: Any) -> None:
    page.get_by_label("More", exact=True).click()
    expect(page.get_by_role("link", name="Numbers")).to_be_visible()


def problems(page: Any) -> None:
    page.locator("#builder-problems summary").click()
    expect(page.locator("#builder-problems li").first).to_be_visible()


def card_menu(page: Any) -> None:
    page.locator("#card-hello .jb-hit").focus()
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menuitem", name="Edit")).to_be_focused()


def remove(page: Any) -> None:
    page.locator("#card-opened .jb-hit").focus()
    page.keyboard.press("Delete")
    expect(page.locator("#builder-dialog")).to_be_visible()


def publishing(page: Any) -> None:
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("#builder-publishing").get_by_role("button", name="Publish v")).to_be_visible()


def trying(page: Any) -> None:
    page.get_by_role("button", name="Test contact").click()
    expect(page.locator("#builder-trying form")).to_be_visible()


def keys(page: Any) -> None:
    page.locator("[data-keys]").click()
    expect(page.locator("#builder-keys")).to_be_visible()


def preview_sample(page: Any) -> None:
    page.get_by_role("button", name="Preview Welcome series").click()
    expect(page.locator("#sample-preview .jb-card").first).to_be_visible()


def rotate(page: Any) -> None:
    page.get_by_role("button", name="Rotate the secret").click()
    expect(page.locator("#rotate")).to_be_visible()


def rotated(page: Any) -> None:
    rotate(page)
    page.locator("#rotate").get_by_role("button", name="Rotate", exact=True).click()
    expect(page.get_by_role("button", name="Copy")).to_be_visible()


def password(page: Any) -> None:
    """Of Otto, who is asked for a code after it."""
    page.fill("#id_username", "otto")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Code of your app")).to_be_visible()


def freeze(page: Any) -> None:
    page.get_by_role("button", name="Freeze everything").click()
    expect(page.locator("#freeze")).to_be_visible()
