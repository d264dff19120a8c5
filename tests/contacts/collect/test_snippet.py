"""`GET /t.js`: small, cacheable, readable by every origin, and never redirected."""

import gzip
import re

import pytest
from django.test import Client

from contacts.collect import snippet


@pytest.fixture
def ask():
    return lambda method="get", **headers: getattr(Client(), method)("/t.js", headers=headers)


def test_what_is_served_has_less_than_three_kilobytes_gzipped(ask):
    zipped = ask(**{"accept-encoding": "br, gzip"})
    assert zipped["Content-Encoding"] == "gzip"
    assert len(zipped.content) < 3000
    assert gzip.decompress(zipped.content) == ask().content == snippet.SOURCE.read_bytes()
    assert len(gzip.compress(ask().content, compresslevel=9)) < 3000


def test_it_is_a_script_for_every_origin_kept_for_some_minutes(ask):
    answer = ask()
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert 60 <= int(re.fullmatch(r"public, max-age=(\d+)", answer["Cache-Control"])[1]) <= 3600
    assert "Accept-Encoding" in answer["Vary"] and "Cookie" not in answer["Vary"]
    assert not answer.cookies


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_whoever_has_it_is_told_so(ask, encoding):
    tag = ask(**{"accept-encoding": encoding})["ETag"]
    for said in (tag, f'"other", {tag}', f"W/{tag}"):
        again = ask(**{"accept-encoding": encoding, "if-none-match": said})
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == tag and again["Access-Control-Allow-Origin"] == "*"
    assert ask(**{"accept-encoding": encoding, "if-none-match": '"other"'}).status_code == 200


def test_the_two_encodings_are_two_representations(ask):
    assert ask(**{"accept-encoding": "gzip"})["ETag"] != ask()["ETag"]


def test_it_can_only_be_read(ask):
    assert ask("head").status_code == 200
    assert ask("post").status_code == 405


def test_it_keeps_to_what_browsers_of_some_years_ago_understand():
    source = snippet.SOURCE.read_text(encoding="utf-8")
    code = source[source.index("*/") :]
    assert not re.search(r"\?\.|\?\?|\.\.\.[a-z]+\s*[,}]|\bimport\b|\bclass\b|#[a-z]", code)
