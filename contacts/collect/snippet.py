"""`GET /t.js`: the snippet for web pages, as it stands in `static/contacts/t.js`.

At an address of its own, because it lies in other people's pages for years: no hash in the name, no redirect, a few
minutes in caches, and open to every origin."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

SOURCE = Path(__file__).resolve().parent.parent / "static" / "contacts" / "t.js"
MAX_AGE = 300  # seconds: how long a change takes to reach everybody, at most
HEADERS = {
    "Cache-Control": f"public, max-age={MAX_AGE}",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",  # for pages that embed only what allows it
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Snippet:
    plain: bytes
    zipped: bytes
    tag: str


@cache
def snippet() -> Snippet:
    """Read and compressed once per process."""
    plain = SOURCE.read_bytes()
    return Snippet(plain, gzip.compress(plain, compresslevel=9, mtime=0), hashlib.sha256(plain).hexdigest()[:16])


@require_safe
def serve(request: HttpRequest) -> HttpResponse:
    """200 with the script, gzipped for whoever reads that; 304 for whoever has it."""
    current = snippet()
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    tag = f'"{current.tag}{"-gzip" if zipped else ""}"'
    asked = request.headers.get("If-None-Match", "")
    response: HttpResponse
    if tag in [each.strip().removeprefix("W/") for each in asked.split(",")]:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(
            current.zipped if zipped else current.plain, content_type="text/javascript; charset=utf-8"
        )
        if zipped:
            response["Content-Encoding"] = "gzip"
    response["ETag"] = tag
    for name, value in HEADERS.items():
        response[name] = value
    patch_vary_headers(response, ["Accept-Encoding"])
    return response
