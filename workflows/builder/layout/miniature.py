"""A journey at a glance, for lists of journeys: its map without words, in the colour of the text around it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workflows.builder.layout.blocks import CARD_HEIGHT, CARD_WIDTH
from workflows.builder.layout.drawing import draw

_MARGIN = 12
_LINE = 7  # strokes as thick as this can still be seen at a fifth of their size
_ICON, _AT = 34, 22
_LEAST_WIDE = 900  # else a card that stands alone would fill the whole of it
_MOST_WIDE, _MOST_HIGH = 2400, 1600  # of a long journey its beginning is shown


def miniature(definition: Mapping[str, Any]) -> SafeString:
    """An `<svg class="jb-miniature">` without width or height: it takes the place that it is given and keeps its
    proportions. It says nothing to those who do not see it; the words beside it do."""
    drawing = draw(definition)
    left, width = float(-_MARGIN), drawing.width + 2 * _MARGIN
    if width > _MOST_WIDE:
        middle = drawing.cards[0].x + CARD_WIDTH / 2
        left, width = round(middle - _MOST_WIDE / 2, 1), _MOST_WIDE
    elif width < _LEAST_WIDE:
        left, width = round(left - (_LEAST_WIDE - width) / 2, 1), _LEAST_WIDE
    height = min(drawing.height + 2 * _MARGIN, _MOST_HIGH)
    lines = format_html('<path d="{}"/>', "".join(line.path for line in drawing.lines))
    cards = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" rx="18"/>',
        ((card.x, card.y, CARD_WIDTH, CARD_HEIGHT) for card in drawing.cards),
    )
    icons = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" rx="8"/>',
        ((card.x + _AT, card.y + (CARD_HEIGHT - _ICON) / 2, _ICON, _ICON) for card in drawing.cards),
    )
    return format_html(
        '<svg class="jb-miniature" viewBox="{} {} {} {}" preserveAspectRatio="xMidYMid meet" aria-hidden="true" '
        'focusable="false" fill="none" stroke="currentColor" stroke-width="{}"><g stroke-opacity=".45">{}</g>'
        '<g fill="currentColor" fill-opacity=".1" stroke-opacity=".7">{}</g>'
        '<g fill="currentColor" fill-opacity=".55" stroke="none">{}</g></svg>',
        left, -_MARGIN, width, height, _LINE, lines, cards, icons,
    )  # fmt: skip
