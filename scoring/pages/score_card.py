"""The score on a contact's page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contacts.pages import floors
from contacts.pages.floors import Panel
from scoring.projection import explanation
from scoring.rulesets.wording import fading


def lead_score(*, contact_id: int, now: datetime) -> Mapping[str, Any] | None:
    """The score as it is now, rule by rule; None without active rules."""
    found = explanation.explain(contact_id, now)
    if not found.ruleset:
        return None
    largest = max((abs(share.points) for share in found.rules), default=0) or 1
    shares = sorted(
        (share for share in found.rules if share.event_count or share.points), key=lambda share: -share.points
    )
    return {
        "score": f"{found.score:.1f}".rstrip("0").rstrip("."),
        "ruleset": found.ruleset,
        "threshold": f"{found.mql_threshold:g}" if found.mql_threshold is not None else "",
        "rules": [
            {
                "name": share.name,
                "events": share.event_count,
                "points": f"{share.points:+.1f}".replace("-", "−"),
                "width": round(100 * abs(share.points) / largest),
                "negative": share.points < 0,
                "note": ", ".join(
                    note for note in ("at its cap" if share.capped else "", _fading(share.decay)) if note
                ),
            }
            for share in shares
        ],
        "silent": len(found.rules) - len(shares),
    }


def _fading(decay: Any) -> str:
    words = fading(decay)
    return "" if words == "never" else words


floors.register_panel(Panel("Lead score", "admin/scoring/panel_score.html", lead_score, place=10))
