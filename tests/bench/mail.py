"""A mail as marketers send it, for the benches: about 20 kB of HTML with 200 tags, a text part, and whom it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUBJECT = "{{contact.first_name}}, your week with {{contact.company}}"
PREHEADER = "{{contact.seats}} seats, {{contact.credits}} credits left"
TEXT = (
    "Hello {{contact.first_name}},\n\n"
    + "".join(f"{name}: {{{{contact.{name}}}}}\n" for name in ("plan", "company", "seats", "credits", "renews_on"))
    + "{{#items}}\n* {{name}}, {{price}}: {{url}}{{/items}}\n\nNo more of these: {{unsubscribe_url}}\n"
)
_CELL = "padding:8px 16px;font-family:Helvetica,Arial,sans-serif;font-size:14px;line-height:20px;color:#334155"
_STYLES = "".join(
    f".c{n}{{padding:{n}px;margin:0 auto;max-width:{600 + n}px}}\n"
    f"@media(max-width:480px){{.c{n} {{width:100%;padding:0}} }}\n"
    for n in range(24)
)
_HEAD = (
    f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{{{contact.company}}}}</title><style>{_STYLES}'
    '</style></head><body style="margin:0;background:#f1f5f9"><table role="presentation" width="100%">'
)
_ITEMS = (
    "{{#items}}<tr><td><a href='{{url}}'><img src='{{picture}}' alt='{{name}}' width='120'></a></td>"
    "<td>{{name}}</td><td>{{price}}</td></tr>{{/items}}{{^items}}<tr><td>Nothing new this week.</td></tr>{{/items}}"
)
_TAIL = (
    "</table><p>{{#is_vip}}Your own adviser: {{adviser}}{{/is_vip}}</p>"
    "<p><a href='{{unsubscribe_url}}'>No more of these mails</a></p></body></html>"
)
FIELDS = 95
REPEATED = ("first_name", "company", "plan")


def html(*, distinct: bool) -> str:
    """Two tags in each of 95 rows: each a name of its own, or one of the same three again and again."""
    rows = []
    for n in range(FIELDS):
        first, second = (f"a{n}", f"b{n}") if distinct else (REPEATED[n % 3], REPEATED[(n + 1) % 3])
        rows.append(
            f'<tr class="row"><td style="{_CELL}">{{{{contact.{first}}}}} and {{{{contact.{second}}}}}</td></tr>\n'
        )
    return _HEAD + "".join(rows) + _ITEMS + _TAIL


def attributes(*, distinct: bool) -> dict[str, Any]:
    """What is known of one contact: a little, or something for each of the names."""
    many = {f"a{n}": f"value {n} of the week" for n in range(FIELDS)} | {f"b{n}": n * 7 for n in range(FIELDS)}
    return {
        "first_name": "Zoë",
        "company": "Smith & Sons",
        "plan": "pro",
        "seats": 12,
        "credits": 1250.5,
        "renews_on": "2027-01-31",
        "is_vip": True,
        "adviser": "Maria Müller",
        **(many if distinct else {}),
        "items": [
            {
                "name": f"Product {n}",
                "price": f"{n}9.90 EUR",
                "url": f"https://shop.example.com/p/{n}",
                "picture": f"https://cdn.example.com/p/{n}.png",
            }
            for n in range(8)
        ],
    }


def data(*, distinct: bool) -> Mapping[str, Any]:
    """As `delivery.authoring.rendering.merge_data` makes it."""
    known = attributes(distinct=distinct)
    return {
        **known,
        "contact": {**known, "email": "zoe@example.com"},
        "trigger": {},
        "unsubscribe_url": "https://mail.example.com/u/0123456789abcdef0123456789abcdef",
    }
