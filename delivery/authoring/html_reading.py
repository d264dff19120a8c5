"""The standard library's reader of HTML, for whatever somebody wrote."""

from __future__ import annotations

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Where HTMLParser gives up (at a declaration that is none, such as `<![x[`) it reads a comment, as browsers do."""

    def parse_html_declaration(self, i: int) -> int:
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)
