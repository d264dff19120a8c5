"""Publishes random journeys, one version after another, while people are under way in the ones before.

    python -m tests.drills.rig.random_publishing SEED WORKFLOWS once
    python -m tests.drills.rig.random_publishing SEED WORKFLOWS EVERY

`once` makes the lists that they name and the first version of each; otherwise a version every EVERY seconds, of one
journey after the other, until it is stopped."""

from __future__ import annotations

import itertools
import os
import random
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def slug(number: int) -> str:
    return f"random-{number}"


def trigger(number: int) -> str:
    return f"random_{number}_began"


def publish(number: int, version: int, seed: int) -> None:
    """The same seed publishes the same definitions."""
    from contacts import clock
    from tests.workflows.random_journeys import making
    from workflows import publishing

    dice = random.Random(f"{seed}:{number}:{version}")
    document = making.definition(dice, slug=slug(number), trigger=trigger(number), minutes=False)
    publishing.save_draft(definition=document, now=clock.now())
    publishing.publish(slug=document["slug"], by="drill", now=clock.now())


def main(seed: int, workflows: int, every: str) -> None:
    import django

    django.setup()
    from django.db import DatabaseError, connection, transaction

    from contacts import clock
    from contacts.audiences import lists
    from tests.workflows.random_journeys import making

    if every == "once":
        with transaction.atomic():
            for name in making.LISTS:
                lists.create(slug=name, name=name, now=clock.now())
        for number in range(workflows):
            publish(number, 1, seed)
        return
    for version in itertools.count(2):
        for number in range(workflows):
            time.sleep(float(every))
            try:
                publish(number, version, seed)
            except DatabaseError:  # a fault met it: the next one comes
                connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
