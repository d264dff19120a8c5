"""A page as somebody sees it who also reads the console."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

USERNAME, PASSWORD = "maya", "correct horse"
PATIENCE_SECONDS = 15.0
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (told) =>
    console.error(`policy: ${told.violatedDirective} forbids ${told.blockedURI || told.sample}`));"""


def expect(what: Any, about: str | None = None) -> Any:
    """Playwright's assertions, which wait for what a page does in its own time. Asked for here, so that the tests are
    found where there is no Playwright, too."""
    from playwright.sync_api import expect as waiting

    waiting.set_options(timeout=PATIENCE_SECONDS * 1000)
    return waiting(what, about)


def becomes(read: Callable[[], Any], wanted: Any, page: Any) -> None:
    """Before patience ends, `read` answers `wanted`: for what no locator tells, and for rows of the database."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := read()) != wanted and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert found == wanted


class Visitor:
    """Logs in, walks, and remembers everything that a page complained about."""

    def __init__(self, page: Any, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.add_init_script(TELL_VIOLATIONS)

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page had under way when it was left
            self.complaints.append(f"failed: {request.url} ({request.failure})")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")
        is_page_of_ours = response.request.resource_type == "document" and response.url.startswith(self.base)
        if is_page_of_ours and not response.headers.get("content-security-policy"):
            self.complaints.append(f"no content security policy: {response.url}")

    def be(self, username: str) -> None:
        """Is logged in, without having gone through the form."""
        client = Client()
        client.force_login(User.objects.get(username=username))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": self.base}])

    def log_in(self, username: str = USERNAME) -> None:
        self.page.context.clear_cookies()
        self.page.goto(f"{self.base}/admin/login/")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.base}/admin/")

    def go(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")
        self.page.wait_for_load_state("load")


@contextmanager
def visiting(
    browser: Any,
    base: str,
    *,
    dark: bool = False,
    width: int = 1440,
    height: int = 900,
    username: str = USERNAME,
) -> Iterator[Visitor]:
    """Somebody who is logged in, and has not gone anywhere yet. Leaving, whatever went wrong on the way is raised."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(context.new_page(), base)
    try:
        visitor.be(username)
        yield visitor
        assert visitor.complaints == [], visitor.complaints
    finally:
        context.close()
