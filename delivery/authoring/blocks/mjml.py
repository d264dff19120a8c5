"""How each block is written in MJML. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import singledispatch

from delivery.authoring.blocks import html as blocks_html
from delivery.authoring.blocks.model import (
    FONTS,
    NETWORKS,
    Block,
    Button,
    Columns,
    Divider,
    Footer,
    Heading,
    Html,
    Image,
    Logo,
    Paragraphs,
    Product,
    Social,
    Spacer,
    Theme,
)
from delivery.authoring.blocks.words import attribute, line, paragraphs

HEADINGS = {1: ("26px", "1.25"), 2: ("20px", "1.3"), 3: ("16px", "1.4")}
SIZES = {"small": "13px", "normal": "16px", "large": "19px"}
DARK_GROUND, DARK_SURFACE, DARK_INK, DARK_SOFT = "#0f1115", "#1b1e25", "#e8eaf0", "#a3a8b3"
# No words of a block hold these: they are escaped.
_STRUCTURE = re.compile(r"(?=<mj)|(?=</(?:mjml|mj-head|mj-attributes|mj-body|mj-wrapper|mj-section|mj-column)>)")
_CLOSED = re.compile(r"</mj-(?:text|button|style|raw|preview)>$")
MARGIN = "45px"  # between the card's edge and its words


def document(blocks: Sequence[Block]) -> str:
    """The whole mail: what stands above the card, the card, and its last words."""
    theme = next((block for block in blocks if isinstance(block, Theme)), Theme())
    shown = [block for block in blocks if not isinstance(block, Theme | Footer)]
    footers = [block for block in blocks if isinstance(block, Footer)] or [Footer(type="footer")]
    above = 0
    while above < len(shown) and isinstance(shown[above], Logo):
        above += 1
    head = _head(theme)
    top = _section([write(block, theme) for block in shown[:above]], padding="16px 0 8px") if above else ""
    card = "".join([*_sections(shown[above:], theme), *(write(block, theme) for block in footers)])
    return _indented(
        f"<mjml>{head}"
        f'<mj-body background-color="{theme.background}" width="{theme.width}px" css-class="ground">'
        f'<mj-spacer height="16px" />{top}'
        f'<mj-wrapper background-color="{theme.surface}" border-radius="{theme.radius}px" padding="28px 0" '
        f'css-class="card">{card}</mj-wrapper>'
        "</mj-body></mjml>"
    )


def _head(theme: Theme) -> str:
    return (
        "<mj-head><mj-attributes>"
        f'<mj-all font-family="{FONTS[theme.font]}" />'
        f'<mj-text color="{theme.ink}" font-size="16px" line-height="1.6" padding="6px {MARGIN}" />'
        f'<mj-button padding="10px {MARGIN}" font-size="16px" font-weight="600" border-radius="8px" '
        f'inner-padding="13px 26px" background-color="{theme.accent}" color="{_on(theme.accent)}" />'
        f'<mj-image padding="10px {MARGIN}" /><mj-section padding="0" /><mj-column padding="0" />'
        "</mj-attributes>"
        f"<mj-style>a.link {{ color: {theme.accent}; }}</mj-style>"
        "<mj-style>@media (prefers-color-scheme: dark) {"
        f" body, .ground {{ background-color: {DARK_GROUND} !important; }}"
        f" .card, .card > table {{ background: {DARK_SURFACE} !important; }}"
        f" .words div, .words p, .words li {{ color: {DARK_INK} !important; }}"
        f" .words a.link, .name a, .name div {{ color: {_lighter(theme.accent)} !important; }}"
        f" .line p {{ border-color: {_mixed(DARK_INK, DARK_SURFACE, 0.2)} !important; }}"
        f" body > div > p, body > div > p a {{ color: {DARK_SOFT} !important; }}"  # what is put below every mail
        "}</mj-style>"
        '<mj-raw><meta name="color-scheme" content="light dark" />'
        '<meta name="supported-color-schemes" content="light dark" /></mj-raw></mj-head>'
    )


def _sections(blocks: Sequence[Block], theme: Theme) -> list[str]:
    """Blocks one below the other share a section; columns are one of their own."""
    sections: list[str] = []
    run: list[str] = []
    for block in blocks:
        if isinstance(block, Columns | Product):
            if run:
                sections.append(_section(run))
                run = []
            sections.append(write(block, theme))
        else:
            run.append(write(block, theme))
    if run:
        sections.append(_section(run))
    return sections


def _section(parts: Sequence[str], *, padding: str = "0") -> str:
    return f'<mj-section padding="{padding}"><mj-column>{"".join(parts)}</mj-column></mj-section>'


@singledispatch
def write(block: Block, theme: Theme, margin: str = MARGIN) -> str:
    """One block in MJML; `margin`: the room at its sides."""
    raise AssertionError(f"no way to write {type(block).__name__}")


@write.register
def _(block: Logo, theme: Theme, margin: str = MARGIN) -> str:
    if block.src:
        return _image(
            src=block.src, alt=block.text, href=block.href, width=block.width, align=block.align, margin=margin
        )
    name = line(block.text)
    if block.href:
        name = f'<a href="{attribute(block.href)}" style="color:{theme.accent};text-decoration:none">{name}</a>'
    return (
        f'<mj-text align="{block.align}" color="{theme.accent}" font-size="19px" font-weight="700" '
        f'padding="8px {margin}" css-class="name">{name}</mj-text>'
    )


@write.register
def _(block: Heading, theme: Theme, margin: str = MARGIN) -> str:
    size, height = HEADINGS[block.level]
    style = f"margin:0;font-size:{size};line-height:{height};font-weight:700"
    return (
        f'<mj-text align="{block.align}" font-size="{size}" line-height="{height}" padding="10px {margin} 8px" '
        f'css-class="words"><h{block.level} style="{style}">{line(block.text)}</h{block.level}></mj-text>'
    )


@write.register
def _(block: Paragraphs, theme: Theme, margin: str = MARGIN) -> str:
    return (
        f'<mj-text align="{block.align}" font-size="{SIZES[block.size]}" padding="6px {margin}" css-class="words">'
        f"{paragraphs(block.text)}</mj-text>"
    )


@write.register
def _(block: Button, theme: Theme, margin: str = MARGIN) -> str:
    href = f' href="{attribute(block.href)}"' if block.href else ""
    width = ' width="100%"' if block.wide else ""
    return f'<mj-button{href}{width} align="{block.align}" padding="10px {margin}">{line(block.text)}</mj-button>'


@write.register
def _(block: Image, theme: Theme, margin: str = MARGIN) -> str:
    return _image(src=block.src, alt=block.alt, href=block.href, width=block.width, align=block.align, margin=margin)


@write.register
def _(block: Divider, theme: Theme, margin: str = MARGIN) -> str:
    colour = _mixed(theme.ink, theme.surface, 0.16)
    return f'<mj-divider border-width="1px" border-color="{colour}" padding="18px {margin}" css-class="line" />'


@write.register
def _(block: Spacer, theme: Theme, margin: str = MARGIN) -> str:
    return f'<mj-spacer height="{block.height}px" />'


@write.register
def _(block: Html, theme: Theme, margin: str = MARGIN) -> str:
    return f'<mj-text padding="6px {margin}" css-class="words">{blocks_html.tidy(block.html)}</mj-text>'


@write.register
def _(block: Social, theme: Theme, margin: str = MARGIN) -> str:
    """Words, not pictures: pictures of others' servers are blocked as often as they are seen."""
    links = [
        f'<a class="link" href="{attribute(each.href)}" style="color:{theme.accent}">{NETWORKS[each.network]}</a>'
        for each in block.links
        if each.href
    ]
    words = " &nbsp;·&nbsp; ".join(links)
    return f'<mj-text align="{block.align}" font-size="14px" padding="8px {margin}" css-class="words">{words}</mj-text>'


@write.register
def _(block: Product, theme: Theme, margin: str = MARGIN) -> str:
    picture = (
        _image(src=block.src, alt=block.alt, href=block.href, width=0, align="center", margin="0") if block.src else ""
    )
    said = [f'<p style="margin:0;font-weight:700">{line(block.title)}</p>']
    if block.text:
        said.append(f'<p style="margin:2px 0 0;font-size:14px">{line(block.text)}</p>')
    if block.price:
        said.append(f'<p style="margin:6px 0 0;font-weight:700">{line(block.price)}</p>')
    words = f'<mj-text padding="4px 20px" css-class="words">{"".join(said)}</mj-text>'
    if block.button:
        href = f' href="{attribute(block.href)}"' if block.href else ""
        words += (
            f'<mj-button{href} align="left" padding="8px 20px" inner-padding="9px 18px" font-size="14px">'
            f"{line(block.button)}</mj-button>"
        )
    if margin != MARGIN:  # inside a column there is no room for columns
        return picture + words
    left = f'<mj-column width="32%" vertical-align="middle">{picture}</mj-column>' if picture else ""
    width = "68%" if picture else "100%"
    return (
        f'<mj-section padding="10px 25px">{left}'
        f'<mj-column width="{width}" vertical-align="middle">{words}</mj-column></mj-section>'
    )


@write.register
def _(block: Columns, theme: Theme, margin: str = MARGIN) -> str:
    columns = [
        f'<mj-column vertical-align="top">{"".join(write(each, theme, "20px") for each in column)}</mj-column>'
        for column in block.columns
    ]
    return f'<mj-section padding="8px 25px">{"".join(columns)}</mj-section>'


@write.register
def _(block: Footer, theme: Theme, margin: str = MARGIN) -> str:
    if not block.text.strip():
        return ""
    colour = _mixed(theme.ink, theme.surface, 0.66)
    words = (
        f'<mj-text font-size="13px" color="{colour}" padding="0 {margin}" css-class="words">'
        f"{paragraphs(block.text)}</mj-text>"
    )
    return _section([write(Divider(type="divider"), theme), words])


def _image(*, src: str, alt: str, href: str, width: int, align: str, margin: str) -> str:
    if not src:
        return ""
    link = f' href="{attribute(href)}"' if href else ""
    wide = f' width="{width}px"' if width else ""
    return (
        f'<mj-image src="{attribute(src)}" alt="{attribute(alt)}"{link}{wide} align="{align}" '
        f'padding="10px {margin}" border-radius="8px" />'
    )


def _indented(mjml: str) -> str:
    """One element a line, as somebody would write it who goes on as code."""
    lines: list[str] = []
    depth = 0
    for piece in _STRUCTURE.split(mjml):
        if not piece:
            continue
        closes = piece.startswith("</")
        depth -= closes
        lines.append("  " * depth + piece)
        opens = not closes and not piece.endswith("/>") and not _CLOSED.search(piece)
        depth += opens
    return "\n".join(lines) + "\n"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(one: str, other: str, share: float) -> str:
    """`share` of the one, the rest of the other."""
    pairs = zip(_rgb(one), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def _light(colour: str) -> float:
    """Relative luminance, as WCAG reckons it."""
    parts = [c / 255 for c in _rgb(colour)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _on(ground: str) -> str:
    """The colour of words on a ground: whichever of white and near-black is read better."""
    return "#ffffff" if 1.05 / (_light(ground) + 0.05) >= 4.5 or _light(ground) < 0.18 else "#111827"


def _lighter(colour: str) -> str:
    """The accent as it can be read on the dark card."""
    while _light(colour) < 0.32:
        colour = _mixed(colour, "#ffffff", 0.82)
    return colour
