"""Layouts to begin with, as block documents. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FIRST_NAME = "{{first_name}}{{^first_name}}there{{/first_name}}"
COMPANY = "{{company}}{{^company}}your team{{/company}}"


@dataclass(frozen=True)
class Starter:
    """`blocks`: a document as `blocks.read` reads it. `hint`: what it is good for, in a sentence."""

    key: str
    name: str
    hint: str
    subject: str
    preheader: str
    blocks: tuple[dict[str, Any], ...]


def _block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


STARTERS: tuple[Starter, ...] = (
    Starter(
        "welcome",
        "Welcome",
        "The first mail after somebody signs up: one thing to do, and two to read.",
        f"Welcome, {FIRST_NAME}",
        "One thing to try in your first ten minutes",
        (
            _block("theme", accent="#4f46e5", background="#eef2ff", font="sans"),
            _block("logo", text="Acme"),
            _block("heading", text=f"Welcome, {FIRST_NAME}"),
            _block(
                "text",
                text=f"Your workspace for {COMPANY} is ready. Most teams send their first campaign **within ten "
                "minutes**. Here is the shortest way there.",
            ),
            _block("button", text="Open my workspace", href="https://example.com/start"),
            _block(
                "columns",
                columns=[
                    [
                        _block("heading", text="Import contacts", level=3),
                        _block("text", text="Bring a CSV file, or connect your CRM.", size="normal"),
                    ],
                    [
                        _block("heading", text="Pick a journey", level=3),
                        _block("text", text="Start with the welcome series.", size="normal"),
                    ],
                ],
            ),
            _block("footer", text="You get this because you started a trial."),
        ),
    ),
    Starter(
        "newsletter",
        "Newsletter",
        "A lead story and two short ones, with links to where you are found.",
        "The letter: what we learnt this month",
        "Three short reads, five minutes in all",
        (
            _block("theme", accent="#0f766e", background="#f0fdfa", font="serif"),
            _block("logo", text="The Acme Letter"),
            _block("heading", text="What we learnt this month"),
            _block(
                "text",
                text=f"Hello {FIRST_NAME},\n\nthree things were worth writing down. The first one surprised us: "
                "fewer mails brought *more* replies.",
            ),
            _block("button", text="Read the story", href="https://example.com/letter"),
            _block("divider"),
            _block(
                "columns",
                columns=[
                    [
                        _block("heading", text="A field guide", level=3),
                        _block("text", text="How to say no to a feature.\n\n[Read on](https://example.com/guide)"),
                    ],
                    [
                        _block("heading", text="From the workshop", level=3),
                        _block("text", text="What changed in October.\n\n[Read on](https://example.com/changes)"),
                    ],
                ],
            ),
            _block(
                "social",
                links=[
                    {"network": "linkedin", "href": "https://www.linkedin.com/company/example"},
                    {"network": "youtube", "href": "https://www.youtube.com/@example"},
                    {"network": "website", "href": "https://example.com"},
                ],
            ),
            _block("footer", text="You get this because you asked for our monthly letter."),
        ),
    ),
    Starter(
        "announcement",
        "Announcement",
        "Something new, said large, with one button.",
        "New: reports that write themselves",
        "Ready on Monday, no setting up",
        (
            _block("theme", accent="#7c3aed", background="#faf5ff", font="rounded", radius=20),
            _block("logo", text="Acme"),
            _block("heading", text="Reports that write themselves", align="center"),
            _block(
                "text",
                text="Every Monday at nine, the week in one page. It is on for everybody, from today.",
                size="large",
                align="center",
            ),
            _block("button", text="See your first report", href="https://example.com/reports", align="center"),
            _block("spacer", height=12),
            _block("divider"),
            _block("heading", text="What is in it", level=2),
            _block(
                "text",
                text="- What went up, and what went down\n- The one number to look at\n- Who is waiting for you",
            ),
            _block("footer", text="You get this because you use Acme."),
        ),
    ),
    Starter(
        "receipt",
        "Receipt",
        "What was ordered and what it cost; sober, for transactional mail.",
        "Your order {{trigger.order_id}}",
        "Thank you. Here is what you ordered.",
        (
            _block("theme", accent="#0f172a", background="#f4f4f5", font="sans", radius=6),
            _block("logo", text="Acme", align="left"),
            _block("heading", text=f"Thank you, {FIRST_NAME}", level=2),
            _block(
                "text",
                text="We have your order **{{trigger.order_id}}** and send it within two working days.",
            ),
            _block("product", title="Desk lamp, brass", text="1 piece", price="€ 89.00"),
            _block("product", title="Bulb, warm white", text="2 pieces", price="€ 14.00"),
            _block("divider"),
            _block("heading", text="Total € 103.00", level=3, align="right"),
            _block("button", text="See the order", href="https://example.com/orders", align="left"),
            _block("footer", text="This is about an order of yours. Questions? Answer this mail."),
        ),
    ),
    Starter(
        "win-back",
        "Win back",
        "For somebody who has not been seen for a while: an honest question and an easy way back.",
        f"Still there, {FIRST_NAME}?",
        "A month on us, or no more mail: you choose",
        (
            _block("theme", accent="#c2410c", background="#fff7ed", font="humanist"),
            _block("logo", text="Acme"),
            _block("heading", text=f"It has been a while, {FIRST_NAME}"),
            _block(
                "text",
                text="Your account is as you left it. If you would like to look in again, the next month is on us.",
            ),
            _block("button", text="Come back for a month", href="https://example.com/back", wide=True),
            _block(
                "text",
                text="Not for you any more? That is fine. Choose what you get below, and we keep to it.",
                size="small",
            ),
            _block("footer", text="You get this because you have an account with us."),
        ),
    ),
)


def starter(key: str) -> Starter | None:
    return next((each for each in STARTERS if each.key == key), None)
