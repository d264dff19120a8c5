"""Every code block of the guides is run, or checked where there is nothing to run."""

import re

import pytest

from tests.docs.blocks import DOCS, OPTIONS, blocks_of, pages
from tests.docs.conftest import FIRST
from tests.docs.running import ROOT, RUN, Missing, Room, run_block

MOST_NOT_RUN = 12
ALL = [block for page in pages() for block in blocks_of(page)]
RUN_HERE = [page for page in pages() if page != FIRST and any(block.language != "text" for block in blocks_of(page))]
HOSTS = re.compile(r"https?://([A-Za-z0-9.\[\]:_-]+)")
OURS = re.compile(r"(.+\.)?(example(\.com|\.org)?|localhost|internal)|127\.0\.0\.1")


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.where)
def test_a_block_is_in_a_language_that_is_run_and_says_nothing_unknown(block):
    assert block.language in RUN
    assert set(block.options) <= OPTIONS


def test_what_is_not_run_says_why_and_is_little():
    left = [block for block in ALL if "notrun" in block.options]
    assert len(left) <= MOST_NOT_RUN, [block.where for block in left]
    assert all(len(block.options["notrun"].split()) >= 3 for block in left)


def test_what_is_run_elsewhere_is_named_there():
    for block in ALL:
        if path := block.options.get("runby"):
            assert block.page.name in (ROOT / path).read_text(encoding="utf-8"), block.where


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_names_nobody_elses_host(page):
    hosts = {host.partition(":")[0] for host in HOSTS.findall(page.read_text(encoding="utf-8"))}
    assert [host for host in sorted(hosts) if not OURS.fullmatch(host)] == []


@pytest.mark.timeout(300)  # the first page starts the web, and everything is a process of its own
@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: str(page.relative_to(DOCS)))
def test_what_a_page_shows_works(page, room, bells):
    missing = follow(page, room)
    if missing:
        pytest.skip(f"all but: {', '.join(sorted(missing))}")


def follow(page, room: Room) -> set[str]:
    """Run the blocks of a page one after the other; returns what is not installed here."""
    blocks, missing = blocks_of(page), set()
    for number, block in enumerate(blocks):
        if {"notrun", "runby"} & set(block.options):
            continue
        later = "".join(each.body for each in blocks[number + 1 :])
        try:
            run_block(block, room, later)
        except Missing as error:
            missing.add(str(error))
    return missing


@pytest.mark.django_db  # somebody has to say it, or there is no database of the tests
def test_a_block_that_does_not_work_is_found(tmp_path):
    page = DOCS / "index.md"
    broken = type(ALL[0])(page, 1, "json", '{"events": [', {})
    with pytest.raises(ValueError, match="Expecting value"):
        run_block(broken, None, "")
