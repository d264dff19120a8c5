"""The lines that stand above every page of the admin: that everything is frozen, and of alerts."""

from __future__ import annotations

from typing import Any

from django import template

from analytics.pages import alerts_badge, freeze_line

register = template.Library()


@register.inclusion_tag("admin/analytics/alerts_line.html", takes_context=True)
def alerts_line(context: Any) -> dict[str, Any]:
    """Nothing, unless something critical is open that nobody has silenced."""
    request = context.get("request")
    is_known = request is not None and hasattr(request, "user")
    found = alerts_badge.critical(request) if is_known else []
    return {"first": found[0] if found else None, "others": len(found) - 1}


@register.inclusion_tag("admin/analytics/freeze_line.html", takes_context=True)
def frozen_line(context: Any) -> dict[str, Any]:
    """Nothing, unless everything stands still. Whoever works here is told, whatever they may look at."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.is_staff:
        return {"reason": ""}
    return {"reason": freeze_line.reason(), "may_look": user.has_perm("contacts.view_freeze")}
