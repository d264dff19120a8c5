"""Steps, triggers and the frame of a definition."""

from __future__ import annotations

from config.reference.markdown import code, page, table
from config.reference.models import settings_table
from workflows import wording
from workflows.definition.schema import Settings
from workflows.steps.registry import find as find_step
from workflows.steps.registry import keys as step_keys
from workflows.triggers.registry import find as find_trigger
from workflows.triggers.registry import keys as trigger_keys

GROUPS = {"messages": "Messages", "timing": "Timing", "logic": "Logic", "contact": "Contact", "team": "Team"}


def steps_page() -> str:
    kinds = [kind for key in step_keys() if (kind := find_step(key)) is not None]
    parts = []
    for group, title in GROUPS.items():
        parts.append(f"## {title}")
        for kind in (each for each in kinds if each.group == group):
            ports = ", ".join(code(port) for port in kind.rough_ports(dict(kind.initial)))
            parts.append(f"### {kind.label} {{ #{kind.key} }}")
            parts.append(f"{code(kind.key)} · {kind.hint}.")
            parts.append(settings_table(kind.Config) or "It has no settings.")
            parts.append(f"Paths out: {ports}" if ports else "There is no path out of it.")
    return page(
        "Steps",
        "Every step of a definition has a `type`, perhaps a `name`, its settings under `config`, and under `next` "
        "where each of its paths leads: a step's key, or null for the end. Any step may have `skip_if`, a condition.",
        *parts,
    )


def triggers_page() -> str:
    parts = []
    for key in trigger_keys():
        kind = find_trigger(key)
        assert kind is not None
        parts.append(f"## {kind.label} {{ #{key} }}")
        parts.append(f"{code(key)} · {' '.join((kind.__doc__ or '').split())}")
        parts.append(settings_table(kind, without=("type",)) or "It has no settings.")
    parts.append("## Settings of a journey\n\n" + settings_table(Settings))
    refusals = table(("Refusal", "In words"), [(code(key), words) for key, words in wording.REFUSALS.items()])
    exits = table(("Reason", "In words"), [(code(key), words) for key, words in wording.EXITS.items()])
    parts.append(f"## Why somebody did not enter\n\n{refusals}")
    parts.append(f"## Why somebody left\n\n{exits}")
    return page(
        "Triggers and settings",
        "What starts a journey stands under `entry.trigger` of its definition, as `type` and these settings; what "
        "holds for all of it under `settings`.",
        *parts,
    )
