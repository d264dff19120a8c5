"""The people of an inhabited installation, and what is known of them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from contacts.models import ConsentRecord, Contact, ContactChange, ContactEvent, ContactIdentity, ContactTag, Tag

HOSTILE = "<script>window.broken=1</script>{{7*7}}\"'"
PEOPLE = [
    ("Ana", "Ruiz", "Europe/Madrid", "es-ES", "Director of Marketing"),
    ("Tom", "Baker", "Europe/London", "en-GB", "Founder"),
    ("Yuki", "Tanaka", "Asia/Tokyo", "ja-JP", "Engineer"),
    ("Søren", "Ægir", "Europe/Copenhagen", "da-DK", "Buyer"),
    ("نور", "حداد", "Asia/Beirut", "ar-LB", "Head of Sales"),
    ("Maximiliane-Charlotte", "von Hohenstein-Waldburg zu Wolfegg", "Europe/Berlin", "de-DE", "Managing Director"),
    ("Li", "Wei", "Asia/Shanghai", "zh-CN", ""),
    (HOSTILE, "Mallory", "Mars/Olympus", "xx", HOSTILE),
    ("Olu", "Adeyemi", "Africa/Lagos", "en-NG", "Marketing Director"),
    ("Chloé", "Dubois", "Europe/Paris", "fr-FR", "Assistant"),
    ("Jon", "Snow", "", "", "Student"),
    ("Priya", "Nair", "Asia/Kolkata", "en-IN", "Director of Growth"),
]


def settle(now: datetime, count: int) -> list[Contact]:
    people = []
    for n in range(count):
        first, last, zone, locale, title = PEOPLE[n % len(PEOPLE)]
        plain = f"{first}.{last}".lower().replace(" ", "-").encode("ascii", "ignore").decode().strip(".-") or "person"
        address = f"{''.join(c for c in plain if c.isalnum() or c in '.-')[:40]}{n}@example.com"
        people.append(
            Contact(
                email=address,
                external_id=f"crm-{1000 + n}",
                timezone=zone,
                locale=locale,
                attributes={
                    "first_name": first,
                    "last_name": last,
                    "job_title": title,
                    "company": "Globex" if n % 2 else "Northwind Records",
                    "company_size": 10 * n,
                    "newsletter": n % 3 == 0,
                    **({"address": {"city": "Graz", "lines": ["Herrengasse 1", "8010"]}} if n % 5 == 0 else {}),
                },
                created_at=now - timedelta(hours=7 * n),
                updated_at=now - timedelta(hours=n),
            )
        )
    people = Contact.objects.bulk_create(people)
    ContactIdentity.objects.bulk_create(
        ContactIdentity(kind=kind, value=value, contact_id=person.pk, first_seen_at=person.created_at)
        for person in people
        for kind, value in (("email", person.email), ("external_id", person.external_id))
    )
    tags = [
        Tag.objects.create(name=name) for name in ("engaged", "vip", "sales-ready", "newsletter-monthly", HOSTILE[:30])
    ]
    ContactTag.objects.bulk_create(
        ContactTag(contact=person, tag=tag, added_at=now)
        for n, person in enumerate(people)
        for k, tag in enumerate(tags)
        if n % (k + 2) == 0
    )
    return list(people)


def event(person: Contact, event_type: str, at: datetime, properties: dict[str, Any], **more: Any) -> ContactEvent:
    key = hashlib.blake2b(f"{person.pk}{event_type}{at}{properties}".encode(), digest_size=16).digest()
    given = {"context": {}, "source": "api", "processed": True, **more}
    return ContactEvent(
        contact_id=person.pk,
        recorded_contact_id=person.pk,
        type=event_type,
        occurred_at=at,
        recorded_at=at + timedelta(seconds=1),
        properties=properties,
        key_hash=key,
        **given,
    )


def record(now: datetime, people: list[Contact]) -> None:
    events: list[ContactEvent] = []
    for n, person in enumerate(people):
        start = now - timedelta(minutes=37 * n + 5)
        events += [
            event(
                person, "page_viewed", start - timedelta(days=2), {"path": f"/records/{n}", "title": "Blue in Green"}
            ),
            event(person, "form_submitted", start - timedelta(days=1), {"form": "newsletter"}, source="segment"),
            event(
                person, "order_completed", start, {"total": 19.5 + n, "number_of_cds": 1 + n % 4, "order_id": f"A{n}"}
            ),
            event(
                person,
                "email_opened",
                start + timedelta(minutes=2),
                {"template": "thank-you", "message_id": "x"},
                source="own",
            ),
        ]
    events.append(event(people[7], HOSTILE, now - timedelta(minutes=3), {"note": HOSTILE, "deep": {"list": [1, None]}}))
    events.append(
        event(
            people[0], "page_viewed", now - timedelta(minutes=1), {"path": "/held"}, processed=False, source="segment"
        )
    )
    ana = people[0]
    events += [
        event(ana, "page_viewed", now - timedelta(hours=k), {"path": f"/pricing?visit={k}"}, source="segment")
        for k in range(1, 45)
    ]
    ContactEvent.objects.bulk_create(events, batch_size=500)
    ContactChange.objects.bulk_create(
        [
            ContactChange(
                contact_id=ana.pk,
                changed_at=now - timedelta(days=3),
                kind="attribute",
                name="job_title",
                old="Manager",
                new="Director of Marketing",
                source="api",
            ),
            ContactChange(
                contact_id=ana.pk,
                changed_at=now - timedelta(days=1),
                kind="tag",
                name="engaged",
                old=None,
                new=True,
                source="workflow:first-order",
            ),
            ContactChange(
                contact_id=ana.pk,
                changed_at=now - timedelta(days=2),
                kind="identity_conflict",
                name="email",
                old=None,
                new={"other": 5},
                source="event",
            ),
        ]
    )
    ConsentRecord.objects.bulk_create(
        [
            ConsentRecord(
                contact_id=person.pk, category=category, state=state, recorded_at=now - timedelta(days=5), source="api"
            )
            for n, person in enumerate(people)
            for category, state in (("tracking", "granted"), ("marketing", "denied" if n % 9 == 4 else "granted"))
        ]
    )
