"""Hits of our own links and pictures, as `delivery.public.hits` writes them down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from delivery.webhooks import elements, machines, vocabulary
from delivery.webhooks.base import Knock, Reading, Report
from delivery.webhooks.elements import text
from delivery.webhooks.machines import Hit


def is_genuine(knock: Knock) -> bool:
    """They are written down by ourselves, never posted."""
    return False


def read(body: bytes, received_at: datetime) -> Reading:
    """The report in a body. Never raises."""
    return elements.reading(
        lambda: elements.listed(elements.parsed(body)), lambda element: [_report(element, received_at)]
    )


def _report(element: Mapping[str, Any], received_at: datetime) -> Report:
    kind, mid, agent = element["kind"], elements.uuid(element["mid"]), text(element.get("agent"))
    if kind not in (vocabulary.OPENED, vocabulary.CLICKED) or mid is None:
        raise ValueError("neither an open nor a click of a message")
    url, method, is_link = text(element.get("url")), text(element.get("method")), kind == vocabulary.CLICKED
    by = machines.machine(
        Hit(
            agent,
            is_link,
            method=method,
            purpose=text(element.get("purpose")),
            has_sec_fetch=element.get("has_sec_fetch"),
            is_canary=element.get("is_canary") is True,
        )
    )
    said = {"url": url, "useragent": agent}
    return Report(
        mid=mid,
        kind=kind,
        occurred_at=received_at,
        address="",
        is_machine=by is not None,
        detail={name: value for name, value in said.items() if value} | ({"machine": by.detail} if by else {}),
        dedup=elements.digest("links", mid, kind, url, agent, method, received_at.isoformat()),
        is_timed=is_link,
    )
