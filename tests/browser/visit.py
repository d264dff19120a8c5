"""A page as somebody sees it who also reads the console."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

USERNAME, PASSWORD = "maya", "correct horse"
PATIENCE_SECONDS = 15.0


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

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page had under way when it was left
            self.complaints.append(f"failed: {request.url} ({request.failure})")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def log_in(self) -> None:
        self.page.goto(f"{self.base}/admin/login/")
        self.page.fill("#id_username", USERNAME)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.base}/admin/")

    def go(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")
        self.page.wait_for_load_state("load")


# What Unfold needs (Alpine evaluates its attributes), and no script of our own inside a page.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'"
)


def _under_policy(route: Any) -> None:
    if route.request.resource_type != "document" or route.request.method != "GET":
        route.continue_()
        return
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": POLICY})


@contextmanager
def visiting(
    browser: Any, base: str, *, dark: bool = False, width: int = 1440, height: int = 900, policy: bool = False
) -> Iterator[Visitor]:
    """Somebody who is logged in. Leaving, whatever went wrong on the way is raised. `policy`: every page comes with a
    content security policy that forbids scripts inside it."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(context.new_page(), base)
    try:
        visitor.log_in()
        if policy:
            visitor.page.route("**/*", _under_policy)
        yield visitor
        assert visitor.complaints == [], visitor.complaints
    finally:
        context.close()
