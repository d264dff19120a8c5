"""The pages as `bin/docs` builds them."""

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from config import admin_site
from config.reference import writing
from tests.docs.blocks import DOCS, pages

ROOT = Path(settings.BASE_DIR)
LARGEST_PICTURE = 200_000  # bytes
NAMED = re.compile(r"\b(Engage|Audience|Measure|Delivery|Settings), \**([A-Z][A-Za-z]+(?: [a-z]+)?)")


NAVIGATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def places(nav):
    for each in nav:
        found = next(iter(each.values())) if isinstance(each, dict) else each
        yield from places(found) if isinstance(found, list) else [found]


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page():
    written = {str(path.relative_to(DOCS)) for path in pages()} | {"decisions/README.md"}
    made = {f"reference/{name}.md" for name in writing.PAGES}
    assert sorted(places(NAVIGATION["nav"])) == sorted(written | made)


def test_nothing_is_asked_of_another_host():
    assert NAVIGATION["theme"]["font"] is False
    assert not {"extra_css", "extra_javascript", "repo_url", "google_analytics"} & set(NAVIGATION)
    assert NAVIGATION["plugins"] == ["search"]


def test_the_whole_closure_is_pinned():
    lines = (ROOT / "requirements-docs.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.a-z]+", line) for line in lines) and len(lines) > 20


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_shows_pictures_that_are_there_with_words(page):
    for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        picture = page.parent / path
        assert words and picture.exists() and picture.stat().st_size < LARGEST_PICTURE, path


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_what_a_page_says_of_the_menu_is_in_the_menu(page):
    groups = admin_site.UNFOLD["SIDEBAR"]["navigation"]
    menu = {(group.get("title"), item["title"]) for group in groups for item in group["items"]}
    sections = {group.get("title") for group in groups}
    if page.name == "business-intelligence.md":  # the menus of other programs
        return
    for section, item in NAMED.findall(page.read_text(encoding="utf-8")):
        assert section in sections
        assert any((section, words) in menu for words in (item, item.split(" ")[0])), f"{section}, {item}"
