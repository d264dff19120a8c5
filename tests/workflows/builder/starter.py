"""A small journey to begin with: an e-mail, a wait, a branch."""

from __future__ import annotations

from typing import Any

STARTER: dict[str, Any] = {
    "schema": 1,
    "name": "New journey",
    "slug": "new-journey",
    "entry": {"trigger": {"type": "event", "event": "signed_up"}, "re_entry": {"policy": "never"}},
    "settings": {"lane": "urgent", "message_class": "marketing"},
    "start": "welcome",
    "steps": {
        "welcome": {
            "type": "send_email",
            "name": "Welcome",
            "config": {"template": "welcome"},
            "next": {"next": "morning"},
        },
        "morning": {
            "type": "wait",
            "name": "Nine in the morning, their time",
            "config": {"mode": "local_time", "at": "09:00"},
            "next": {"next": "opened"},
        },
        "opened": {
            "type": "branch",
            "name": "Opened the welcome?",
            "config": {"arms": [{"key": "yes", "if": {"event": "email_opened", "within": "P7D"}}]},
            "next": {"yes": "engaged", "else": None},
        },
        "engaged": {"type": "add_tag", "name": "Tag as engaged", "config": {"tag": "engaged"}, "next": {"next": None}},
    },
}
