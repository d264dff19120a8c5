"""Which keys each of our Lua scripts touches, and whether a Redis Cluster would have them in one place: a script may
only touch keys of one of its 16,384 slots."""

from __future__ import annotations

from redis.crc import key_slot

from tests.drills.rig import summary

# without the prefix, as the product calls them: for the lane `urgent`, a bucket of each kind, two domains
SCRIPTS = {
    "contacts/lua/take_tokens.lua": ("requests:7",),
    "delivery/rates/lua/reserve_turns.lua": (
        "turns:example.com:urgent", "turns:example.com:bulk", "turns:example.org:urgent", "turns:example.org:bulk",
    ),
    "delivery/rates/lua/take_tokens.lua": ("throttle:sendgrid", "throttle:sendgrid:held"),
    "workflows/lua/claim_due.lua": ("timers:urgent", "timers:urgent:claimed"),
}  # fmt: skip
PREFIX, TAGGED = "carillon:", "{carillon}:"  # REDIS_PREFIX as it is, and as a cluster wants it


def slots(script: str, prefix: str) -> list[int]:
    return [key_slot(f"{prefix}{name}".encode()) for name in SCRIPTS[script]]


def text() -> str:
    rows = [
        [
            f"`{script}`",
            ", ".join(f"`{name}`" for name in names),
            ", ".join(str(slot) for slot in slots(script, PREFIX)),
            "yes" if len(set(slots(script, PREFIX))) == 1 else "no",
            str(slots(script, TAGGED)[0]) if len(set(slots(script, TAGGED))) == 1 else "no",
        ]
        for script, names in SCRIPTS.items()
    ]
    head = ["script", f"keys, behind `{PREFIX}`", "slots", "runs as it is", f"behind `{TAGGED}`, all in slot"]
    return summary.markdown(head, rows) + "\n"
