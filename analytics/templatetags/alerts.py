"""The line about alerts that stands above every page of the admin."""

from __future__ import annotations

from typing import Any

from django import template

from analytics.pages import alerts_badge

register = template.Library()


@register.inclusion_tag("admin/analytics/alerts_line.html", takes_context=True)
def alerts_line(context: Any) -> dict[str, Any]:
    """Nothing, unless something critical is open that nobody has silenced."""
    request = context.get("request")
    is_known = request is not None and hasattr(request, "user")
    found = alerts_badge.critical(request) if is_known else []
    return {"first": found[0] if found else None, "others": len(found) - 1}
