"""Asks the product for scores: `python -m tests.drills.score_crossings.asking` reads a JSON list of [ruleset id,
instant (microseconds since 1970), contact ids] and prints the list of what `scores.under` says, {contact id: score}."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.drills.rig.processes import PYTHON, ROOT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Question = tuple[int, int, Sequence[int]]


def ask(env: Mapping[str, str], questions: Sequence[Question]) -> list[dict[int, float]]:
    """From a process that knows no Django. Raises RuntimeError with the last words of the one that does."""
    done = subprocess.run(
        [PYTHON, "-m", "tests.drills.score_crossings.asking"],
        cwd=ROOT,
        env={**env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        input=json.dumps(questions),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the projection did not answer:\n{done.stderr[-2000:]}")
    return [{int(contact_id): score for contact_id, score in said.items()} for said in json.loads(done.stdout)]


def _answer(questions: Sequence[Question]) -> list[Mapping[int, float]]:
    import django

    django.setup()
    from scoring.projection import scores
    from scoring.rulesets import reading

    rulesets = {ruleset_id: reading.version(ruleset_id) for ruleset_id in {question[0] for question in questions}}
    return [
        scores.under(rulesets[ruleset_id], contact_ids=contact_ids, at=EPOCH + timedelta(microseconds=at))
        for ruleset_id, at, contact_ids in questions
    ]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
