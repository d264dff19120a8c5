"""The blocks of a mail as a marketer lays them out: what each holds, and within which limits. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic_core import PydanticCustomError

from delivery.authoring.blocks import html as blocks_html
from delivery.authoring.blocks import words as blocks_words

MOST_BLOCKS = 200
MOST_IN_COLUMN = 20
LONGEST_LINE = 300
LONGEST_TEXT = 20_000
LONGEST_HTML = 100_000
LONGEST_ADDRESS = 2_000

FONTS = {
    "sans": "Helvetica, Arial, sans-serif",
    "humanist": "Verdana, Geneva, sans-serif",
    "rounded": "'Trebuchet MS', Tahoma, sans-serif",
    "serif": "Georgia, 'Times New Roman', serif",
    "mono": "'Courier New', Courier, monospace",
}
NETWORKS = {
    "facebook": "Facebook",
    "instagram": "Instagram",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "threads": "Threads",
    "tiktok": "TikTok",
    "x": "X",
    "youtube": "YouTube",
    "website": "Website",
}

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINKED = re.compile(r"(?:https?://|mailto:|tel:|#)", re.IGNORECASE)


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise PydanticCustomError("control_character", "holds a character that no mail can show")
    return text


def _escaped(text: str) -> str:
    if blocks_words.UNESCAPED.search(text):
        raise PydanticCustomError(
            "unescaped_tag", "takes a value without escaping it; only an HTML block may ({{name}}, not {{{name}}})"
        )
    return text


def _address(text: str) -> str:
    """Where a link leads or a picture lies: the internet, mail, a telephone, or what a merge tag says."""
    text = text.strip()
    if text and not (_LINKED.match(text) or blocks_words.TAG.match(text)):
        raise PydanticCustomError("address", "has to begin with https://, http://, mailto: or tel:, or be a merge tag")
    if re.search(r"\s", blocks_words.TAG.sub("", text)):
        raise PydanticCustomError("address", "holds a space")
    return text


def _tidy_html(text: str) -> str:
    try:
        blocks_html.tidy(text)
    except blocks_html.Untidy as error:
        raise PydanticCustomError("html", "{words}", {"words": str(error)}) from error
    return text


Words = Annotated[str, AfterValidator(_printable), AfterValidator(_escaped)]
Line = Annotated[Words, StringConstraints(max_length=LONGEST_LINE)]
Text = Annotated[Words, StringConstraints(max_length=LONGEST_TEXT)]
Address = Annotated[Words, StringConstraints(max_length=LONGEST_ADDRESS), AfterValidator(_address)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Align = Literal["left", "center", "right"]
Pixels = Annotated[int, Field(strict=True, ge=0, le=1200)]


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Theme(Block):
    """Colours, font and width of the whole mail; the first block, at most once."""

    type: Literal["theme"] = "theme"
    accent: Colour = "#4f46e5"
    background: Colour = "#eef2ff"
    surface: Colour = "#ffffff"
    ink: Colour = "#0f172a"
    font: Literal["sans", "humanist", "rounded", "serif", "mono"] = "sans"
    width: Annotated[int, Field(strict=True, ge=320, le=800)] = 600
    radius: Annotated[int, Field(strict=True, ge=0, le=32)] = 12


class Logo(Block):
    """A picture, or the name in words where there is none. Before any other block it stands above the card."""

    type: Literal["logo"]
    text: Line = ""
    src: Address = ""
    href: Address = ""
    width: Pixels = 140
    align: Align = "center"


class Heading(Block):
    type: Literal["heading"]
    text: Line
    level: Annotated[int, Field(strict=True, ge=1, le=3)] = 1
    align: Align = "left"


class Paragraphs(Block):
    """Words with **bold**, *italic*, [links](https://…), lists of lines that begin with "- ", and empty lines between
    paragraphs."""

    type: Literal["text"]
    text: Text
    size: Literal["small", "normal", "large"] = "normal"
    align: Align = "left"


class Button(Block):
    type: Literal["button"]
    text: Line
    href: Address = ""
    align: Align = "left"
    wide: bool = False


class Image(Block):
    type: Literal["image"]
    src: Address = ""
    alt: Line = ""
    href: Address = ""
    width: Pixels = 0  # 0: as wide as there is room
    align: Align = "center"


class Divider(Block):
    type: Literal["divider"]


class Spacer(Block):
    type: Literal["spacer"]
    height: Annotated[int, Field(strict=True, ge=4, le=200)] = 24


class Html(Block):
    """As it is written, and well-formed."""

    type: Literal["html"]
    html: Annotated[
        str, StringConstraints(max_length=LONGEST_HTML), AfterValidator(_printable), AfterValidator(_tidy_html)
    ]


class Product(Block):
    """A picture beside a title, a few words, a price and a button."""

    type: Literal["product"]
    title: Line
    text: Line = ""
    price: Line = ""
    src: Address = ""
    alt: Line = ""
    href: Address = ""
    button: Line = ""


class SocialLink(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    network: Literal["facebook", "instagram", "linkedin", "mastodon", "threads", "tiktok", "x", "youtube", "website"]
    href: Address


class Social(Block):
    type: Literal["social"]
    links: Annotated[list[SocialLink], Field(max_length=12)] = []
    align: Align = "center"


Leaf = Annotated[
    Logo | Heading | Paragraphs | Button | Image | Divider | Spacer | Html | Product | Social,
    Field(discriminator="type"),
]


class Columns(Block):
    """Two or three beside each other, one below the other on a telephone."""

    type: Literal["columns"]
    columns: Annotated[list[Annotated[list[Leaf], Field(max_length=MOST_IN_COLUMN)]], Field(min_length=2, max_length=3)]


class Footer(Block):
    """Why somebody gets this mail; the last block. It stands above what every marketing mail ends with, which no
    document can take away."""

    type: Literal["footer"]
    text: Text = ""


AnyBlock = Annotated[
    Theme
    | Logo
    | Heading
    | Paragraphs
    | Button
    | Image
    | Columns
    | Divider
    | Spacer
    | Product
    | Social
    | Html
    | Footer,
    Field(discriminator="type"),
]
SCHEMA: TypeAdapter[list[Any]] = TypeAdapter(Annotated[list[AnyBlock], Field(max_length=MOST_BLOCKS)])
TYPES: tuple[str, ...] = tuple(
    get_args(member.model_fields["type"].annotation)[0] for member in get_args(get_args(AnyBlock)[0])
)
