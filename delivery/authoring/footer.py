"""What stands below every marketing mail, whatever its template says: who we are and where, a way to stop it, and a
way to choose. A template may place any of it by itself; what it lacks is added, in the language of its reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from delivery.public.languages import Language

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BODY_CLOSES = re.compile(r"</body\s*>", re.IGNORECASE)
_STYLE = "margin:32px 16px 16px;font:12px/1.5 sans-serif;color:#666666;text-align:center"
_FRAME = f'<div{{direction}} style="{_STYLE}">{{lines}}</div>'
_LINE = '<p style="margin:0 0 4px">{}</p>'
_LINK = '<a href="{}" style="color:#666666">{}</a>'


@dataclass(frozen=True)
class Footer:
    """What a mail must show. An empty part need not be shown."""

    unsubscribe_url: str
    preferences_url: str
    postal_address: str
    language: Language

    def below_html(self, html: str) -> str:
        """The mail with what it lacks, inside its body. What stands in a comment nobody sees."""
        seen = _COMMENT.sub("", html) if "<!--" in html else html
        words = self.language.words
        links = []
        if self.unsubscribe_url and not _shows_link(seen, self.unsubscribe_url):
            link = _LINK.format(escape(self.unsubscribe_url), escape(words.footer_unsubscribe))
            links.append(f"{escape(words.footer_question)} {link}")
        if self.preferences_url and not _shows_link(seen, self.preferences_url):
            links.append(_LINK.format(escape(self.preferences_url), escape(words.footer_preferences)))
        lines = [" · ".join(links)] if links else []
        if self.postal_address and not _shows(seen, self.postal_address):
            lines.append(escape(self.postal_address))
        if not lines:
            return html
        direction = ' dir="rtl"' if self.language.direction == "rtl" else ""
        footer = _FRAME.format(direction=direction, lines="".join(map(_LINE.format, lines)))
        at = html.rfind("</body>")  # as nearly everybody writes it: to look for all the other ways takes a while
        if at < 0:
            found = list(_BODY_CLOSES.finditer(html))
            at = found[-1].start() if found else len(html)
        return html[:at] + footer + html[at:]

    def below_text(self, text: str) -> str:
        words = self.language.words
        lines = []
        if self.unsubscribe_url and self.unsubscribe_url not in text:
            lines.append(f"{words.footer_question} {words.footer_unsubscribe}: {self.unsubscribe_url}")
        if self.preferences_url and self.preferences_url not in text:
            lines.append(f"{words.footer_preferences}: {self.preferences_url}")
        if self.postal_address and self.postal_address not in " ".join(text.split()):
            lines.append(self.postal_address)
        if not lines:
            return text
        return text.rstrip() + "\n\n--\n" + "\n".join(lines) + "\n"


def _shows_link(html: str, url: str) -> bool:
    return url in html or escape(url) in html


def _shows(html: str, words: str) -> bool:
    """In any of the ways in which HTML spells it."""
    flat = " ".join(html.split())
    spelt = escape(words)
    return any(each in flat for each in (words, spelt, spelt.replace("&#x27;", "&#39;"), escape(words, quote=False)))
