"""Somebody brings a file: through the whole wizard, with the keyboard's and the pointer's own means."""

from __future__ import annotations

import os
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from contacts.importing.runs import Worker
from contacts.models import Contact, ImportRun
from tests.browser.visit import PASSWORD, USERNAME, expect, visiting

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 3000
FILE = "E-mail;Full name;Plan;Seats;Newsletter\n" + "".join(
    f"person{n}@example.com;Zoë {n};{'trial' if n % 2 else 'paid'};{n};yes\n" for n in range(ROWS)
)
FOLDER = os.environ.get("SCREENSHOTS")  # where to leave pictures of every step


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)


def picture(page, name: str, dark: bool, width: int) -> None:
    if FOLDER:
        page.screenshot(path=f"{FOLDER}/{name}_{'dark' if dark else 'light'}_{width}.png", full_page=True)


def bulk_lane() -> threading.Thread:
    """What the worker of the lane does once it is rung for."""

    def work() -> None:
        worker = Worker()
        while worker.advance():
            pass
        worker.close()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_a_file_goes_through_the_whole_wizard(browser, live_server, maya, tmp_path, dark, width):
    path = tmp_path / "people from the fair.csv"
    path.write_bytes((FILE + "not an address;x;y;z;yes\n").encode("cp1252"))
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        visitor.go("/admin/contacts/importrun/")
        picture(page, "empty", dark, width)
        visitor.go("/admin/contacts/importrun/add/")
        page.set_input_files("input[type=file]", path)
        page.get_by_text("people from the fair.csv", exact=False).first.wait_for()
        picture(page, "upload", dark, width)
        page.get_by_role("button", name="Upload and look at it").click()
        page.wait_for_url("**/mapping/")
        expect(page.locator("#encoding")).to_have_value("cp1252")
        expect(page.locator("#delimiter")).to_have_value(";")
        expect(page.get_by_label("What E-mail becomes")).to_have_value("email")
        page.get_by_label("What Plan becomes").select_option("ignore")
        expect(page.get_by_label("Name of the attribute for Plan")).to_be_hidden()
        page.get_by_label("Name of the attribute for Full name").fill("name")
        page.get_by_label("Everybody gets the tags").fill("fair")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        picture(page, "mapping", dark, width)
        page.get_by_role("button", name="Try it").click()
        page.wait_for_url("**/change/")
        picture(page, "trying", dark, width)
        bulk_lane().join()
        page.get_by_text("What would happen").wait_for()  # the page saw by itself that it ended
        expect(page.get_by_text("is not an e-mail address")).to_be_visible()
        picture(page, "tried", dark, width)
        assert Contact.objects.count() == 0
        with page.expect_navigation():  # to the same address
            page.get_by_role("button", name="Import", exact=True).click()
        bulk_lane().join()
        page.get_by_text("The whole file is read.").wait_for()
        expect(page.locator("[data-figure=created]")).to_have_text(f"{ROWS:,}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        picture(page, "done", dark, width)
        with page.expect_download() as download:
            page.get_by_text("Download the refused rows").click()
        assert "not an address" in download.value.path().read_text()
        visitor.go("/admin/contacts/importrun/")
        picture(page, "list", dark, width)
        visitor.go("/admin/contacts/importrun/export/")
        picture(page, "export", dark, width)
    assert ImportRun.objects.get().state == "done"
    assert Contact.objects.get(email="person7@example.com").attributes == {"name": "Zoë 7", "Seats": 7}
