"""Where the demonstration's people and purchases come from: the data beside the project when it is there, else an
equivalent made here, the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings

from contacts import spreadsheets

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
CONTACTS = 2016
FIRST_DAY = date(1997, 1, 1)


@dataclass(frozen=True)
class Purchase:
    """One order of one customer. `total` is in dollars."""

    customer: int
    day: date
    number_of_cds: int
    total: float


def contacts_file(folder: Path) -> Path:
    """The file of contacts to import; a generated one is written into `folder`."""
    given = DATA / "contacts.csv"
    if given.exists():
        return given
    made = folder / "demo-contacts.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with made.open("w", newline="", encoding="utf-8") as file:
        file.write(spreadsheets.lines([_COLUMNS, *([row[name] for name in _COLUMNS] for row in _made_contacts())]))
    return made


def purchases() -> list[Purchase]:
    """Every purchase in the order of its day (real: 69,659 of 23,570 customers of a record shop, 1997 to 1998)."""
    given = DATA / "cdnow" / "purchases.txt"
    rows = _read_purchases(given) if given.exists() else _made_purchases()
    return sorted(rows, key=lambda purchase: (purchase.day, purchase.customer))


def _read_purchases(path: Path) -> Iterator[Purchase]:
    with path.open(encoding="ascii") as file:
        for line in file:
            parts = line.split()
            if len(parts) == 4 and parts[0].isdigit():
                year, month, day = int(parts[1][:4]), int(parts[1][4:6]), int(parts[1][6:8])
                yield Purchase(int(parts[0]), date(year, month, day), int(parts[2]), float(parts[3]))


def _made_purchases() -> Iterator[Purchase]:
    chance = random.Random(1997)  # noqa: S311  (data that is the same every time)
    for customer in range(1, 8001):
        day = FIRST_DAY + timedelta(days=int(chance.uniform(0, 84)))
        for _ in range(1 + min(9, int(chance.expovariate(0.7)))):
            cds = 1 + min(9, int(chance.expovariate(0.9)))
            yield Purchase(customer, day, cds, round(cds * chance.uniform(9, 19), 2))
            day += timedelta(days=1 + int(chance.expovariate(1 / 40)))


_COLUMNS = [
    "external_id", "email", "first_name", "last_name", "company", "job_title", "company_size", "country", "locale",
    "timezone", "consent_marketing", "created_at",
]  # fmt: skip
_PLACES = [
    ("US", "en_US", "America/New_York"), ("US", "en_US", "America/Los_Angeles"), ("CA", "en_CA", "America/Vancouver"),
    ("GB", "en_GB", "Europe/London"), ("DE", "de_DE", "Europe/Berlin"), ("FR", "fr_FR", "Europe/Paris"),
    ("ES", "es_ES", "Europe/Madrid"), ("PL", "pl_PL", "Europe/Warsaw"), ("EG", "ar_EG", "Africa/Cairo"),
    ("IN", "en_IN", "Asia/Kolkata"), ("JP", "ja_JP", "Asia/Tokyo"), ("AU", "en_AU", "Australia/Sydney"),
    ("BR", "pt_BR", "America/Sao_Paulo"), ("NP", "ne_NP", "Asia/Kathmandu"), ("NZ", "en_NZ", "Pacific/Auckland"),
    ("", "en", ""),
]  # fmt: skip
_FIRST = ["Amina", "Björn", "Chloé", "Dmitri", "Élodie", "Farid", "Grace", "Hiroko", "Iñigo", "Jürgen", "Katarzyna"]
_LAST = ["Okafor", "Lindqvist", "Moreau", "Petrov", "Tanaka", "García", "Schröder", "Nowak", "O’Neill", "Silva", "Rao"]
_TITLES = ["Director of Marketing", "Head of Growth", "Engineer", "Buyer", "Managing Director", "Student", "Analyst"]


def _made_contacts() -> Iterator[dict[str, str]]:
    chance = random.Random(2016)  # noqa: S311  (data that is the same every time)
    for number in range(1, CONTACTS + 1):
        country, locale, zone = chance.choice(_PLACES)
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        yield {
            "external_id": f"ext-{number:05d}",
            "email": f"c{number:04d}@example.com",
            "first_name": first,
            "last_name": last,
            "company": f"{chance.choice(_LAST)} & {chance.choice(_LAST)}",
            "job_title": chance.choice(_TITLES),
            "company_size": str(chance.choice([5, 20, 80, 200, 500, 900, 4000])),
            "country": country,
            "locale": locale,
            "timezone": zone,
            "consent_marketing": "false" if chance.random() < 0.08 else "true",
            "created_at": "2024-01-01T00:00:00Z",
        }
