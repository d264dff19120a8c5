"""Imports that survive whatever is killed: each batch commits its rows, its place in the file, its figures and what it
refused in one transaction. Whoever goes on, goes on there."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import Q

from contacts import audit, authority, doorbell, durations, transactions
from contacts.importing import dry, rejects, sources
from contacts.importing.batches import Batch, Batches, ahead
from contacts.importing.bulk import Options, Stored, store
from contacts.importing.csv_rows import BadHeader
from contacts.importing.mapping import ColumnMap, mapping_of
from contacts.importing.shape import options_of
from contacts.importing.sniffing import Format, format_of
from contacts.importing.sources import StoredSource
from contacts.models import ImportRun, List

log = logging.getLogger(__name__)

MAY_IMPORT = "contacts.import_contacts"
BELL, LANE = "contacts.import_runs", "bulk"
SOURCE = "import"


class NotThere(LookupError):
    """There is no such run, or it is not in a state in which this can be done."""


def begin(
    *,
    name: str,
    digest: bytes,
    size: int,
    format: Format,
    mapping: ColumnMap,
    options: Options,
    actor: str,
    now: datetime,
    only_unfinished: bool = False,
) -> ImportRun:
    """A run that the caller works on itself, over a file of its own; or the one that was begun with the same file in
    the same way and never finished. Raises ValueError with `only_unfinished`, where there is none."""
    same = {
        "digest": digest,
        "stored": False,
        "format": format.as_json(),
        "mapping": mapping.as_json(),
        "options": options.as_json(),
    }
    unfinished = ImportRun.objects.filter(**same, state__in=["running", "stopped"]).order_by("-id").first()
    if unfinished is not None:
        ImportRun.objects.filter(pk=unfinished.pk).update(state="running", fault="")
        unfinished.refresh_from_db()
        return unfinished
    if only_unfinished:
        raise ValueError("no import of this file, done in this way, was interrupted")
    return ImportRun.objects.create(
        **same, name=name, size=size, actor=actor, state="running", created_at=now, started_at=now
    )


def start(run_id: int, *, format: Format, mapping: ColumnMap, options: Options, dry: bool, now: datetime) -> None:
    """Let the bulk lane take an uploaded file. Raises NotThere unless it waits, BadHeader for a mapping that does not
    fit the file, ValueError for a list that there is not, and NotAllowed."""
    authority.require(MAY_IMPORT)
    run = ImportRun.objects.select_for_update().filter(pk=run_id, state="waiting", stored=True).first()
    if run is None:
        raise NotThere(run_id)
    if unknown := sorted(set(options.lists) - known_lists()):
        raise ValueError(f"there is no list {unknown[0]!r}")
    Batches(StoredSource(run_id), format, mapping)
    ImportRun.objects.filter(pk=run_id).update(
        format={**run.format, **format.as_json()},
        mapping=mapping.as_json(),
        options=options.as_json(),
        dry=dry,
        state="running",
        started_at=now,
        fault="",
        **_NOTHING,
    )
    rejects.forget_all(run_id)
    doorbell.ring_on_commit(BELL, LANE)
    what = {"dry": dry, "file": run.digest.hex()[:16], "bytes": run.size, "options": options.as_json()}
    audit.note("import.started", of=("import", run_id), name=run.name, after=what)


_NOTHING: dict[str, Any] = dict.fromkeys(
    ("position", "line", "created", "updated", "unchanged", "repeated", "refused"), 0
)


def pause(run_id: int) -> None:
    """What is committed stays; it can go on. Raises NotThere unless it runs, NotAllowed."""
    authority.require(MAY_IMPORT)
    _move(run_id, ["running"], state="stopped", fault="")


def go_on(run_id: int) -> None:
    """Raises NotThere unless it is stopped, and its file is still here; NotAllowed."""
    authority.require(MAY_IMPORT)
    _move(run_id, ["stopped"], state="running", fault="", stored=True)
    doorbell.ring_on_commit(BELL, LANE)


def cancel(run_id: int, *, now: datetime) -> None:
    """What is committed stays, the file is deleted. Raises NotThere where it is over already, NotAllowed."""
    authority.require(MAY_IMPORT)
    _move(run_id, ["waiting", "running", "stopped"], state="cancelled", finished_at=now)
    doorbell.ring_on_commit(BELL, LANE)


def _move(run_id: int, states: Sequence[str], **values: Any) -> None:
    if not ImportRun.objects.filter(pk=run_id, state__in=states).update(**values):
        raise NotThere(run_id)


def _stop_if_running(run_id: int, fault: str) -> None:
    """Another worker may have come to the end meanwhile, after which the file is deleted under whoever still reads it:
    that is nobody's fault, and no news."""
    ImportRun.objects.filter(pk=run_id, state="running").update(state="stopped", fault=fault)


def waiting(*, now: datetime) -> list[tuple[str, str]]:
    """The bells to ring: whether an uploaded file is to be read, or anything is to be deleted."""
    mine = ImportRun.objects.filter(Q(stored=True, state__in=["running", "done", "cancelled"]) | _kept_no_longer(now))
    return [(BELL, LANE)] if mine.exists() else []


def commit(run_id: int, batch: Batch, options: Options, *, dry_run: bool = False) -> Stored | None:
    """Take this batch, in a transaction of its own; None, and nothing is done, where the run is no longer at its
    beginning, somebody else is at it right now, or it was stopped."""

    def work(now: datetime) -> Stored | None:
        if not _is_at(run_id, batch.start):
            return None
        done = Stored()
        if batch.rows:
            done.add(
                dry.foresee(batch.rows, options=options, now=now)
                if dry_run
                else store(batch.rows, options=options, source=SOURCE, now=now, copies=batch.copies)
            )
        done.refused = sorted([*batch.refused, *done.refused])
        rejects.keep(run_id, done.refused, most=rejects.SHOWN if dry_run else None)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE import_runs SET position = LEAST(%s, size), line = %s, created = created + %s,
                       updated = updated + %s, unchanged = unchanged + %s, repeated = repeated + %s,
                       refused = refused + %s WHERE id = %s
                """,
                [
                    *(batch.end, batch.line, done.created, done.updated, done.unchanged, done.repeated),
                    *(len(done.refused), run_id),
                ],
            )
        return done

    return transactions.run(work)


def _is_at(run_id: int, position: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position FROM import_runs WHERE id = %s AND state = 'running' FOR UPDATE SKIP LOCKED", [run_id]
        )
        row = cursor.fetchone()
    return row is not None and row[0] == position


def finish(run_id: int) -> None:
    """Everything is read. A dry run waits again, with its figures kept."""

    def work(now: datetime) -> None:
        run = ImportRun.objects.select_for_update().filter(pk=run_id, state="running").first()
        if run is None:
            return
        if run.dry:
            figures = {name: getattr(run, name) for name in _FIGURES}
            ImportRun.objects.filter(pk=run_id).update(
                state="waiting", dry=False, checked={**figures, "at": now.isoformat()}, **_NOTHING
            )
        else:
            ImportRun.objects.filter(pk=run_id).update(state="done", position=run.size, finished_at=now)

    transactions.run(work)


_FIGURES = ("created", "updated", "unchanged", "repeated", "refused", "line")


class Worker:
    """What the bulk lane does in one slice: batch after batch of one run, its reader kept open between them, and with
    `overlap` in a thread of its own. To be closed."""

    def __init__(self, *, overlap: bool = False) -> None:
        self._overlap = overlap
        self._run: ImportRun | None = None
        self._batches: Batches | None = None
        self._next: Iterator[Batch] = iter(())

    def close(self) -> None:
        self._run = None
        if isinstance(self._next, Generator):
            self._next.close()  # also ends the thread that reads ahead

    def advance(self) -> bool:
        """One batch, the end of a run, or some of a finished file deleted; False where there is nothing to do."""
        if self._run is None and not self._take():
            return _delete_some() or _prune()
        run = self._run
        if run is None or self._batches is None:
            return True  # the one that was taken cannot be read: there may be others
        try:
            batch = next(self._next, None)
            if batch is None:
                finish(run.pk)
                self.close()
                return True
            began = time.monotonic()
            done = commit(run.pk, batch, options_of(run.options), dry_run=run.dry)
            self._batches.took(time.monotonic() - began, new=share_of_new(batch, done))
        except Error:
            raise  # the database's trouble passes, and the run goes on where it is
        except Exception as error:
            log.error("import run %s stopped: %s", run.pk, type(error).__name__)  # its words may be those of the file
            _stop_if_running(run.pk, f"stopped by a fault: {type(error).__name__}")
            self.close()
            return True
        if done is None:
            self.close()
        return done is not None

    def _take(self) -> bool:
        run = ImportRun.objects.filter(state="running", stored=True).order_by("id").first()
        if run is None:
            return False
        try:
            self._batches = Batches(
                StoredSource(run.pk),
                format_of(run.format),
                mapping_of(run.mapping),
                lists=known_lists(),
                position=run.position,
                line=run.line,
                copies=not run.dry,
            )
        except (BadHeader, ValueError) as error:
            _stop_if_running(run.pk, str(error))
            return True
        batches = self._batches
        self._run, self._next = run, ahead(lambda: iter(batches)) if self._overlap else iter(batches)
        return True


def share_of_new(batch: Batch, done: Stored | None) -> float:
    """Which share of the people in this batch were new; 1.0 where there was nobody."""
    return done.created / len(batch.rows) if done and batch.rows else 1.0


def known_lists() -> frozenset[str]:
    return frozenset(List.objects.values_list("slug", flat=True))


def _delete_some() -> bool:
    over = ImportRun.objects.filter(state__in=["done", "cancelled"], stored=True).order_by("id")
    for run_id in over.values_list("id", flat=True)[:100]:
        if sources.forget(run_id):
            return True
        ImportRun.objects.filter(pk=run_id).update(stored=False)
    return False


def _prune() -> bool:
    """Delete the oldest of the runs that are kept no longer, with what they refused; whether there was one."""

    def work(now: datetime) -> bool:
        run = ImportRun.objects.filter(_kept_no_longer(now)).order_by("id").first()
        if run is None:
            return False
        rejects.forget_all(run.pk)
        run.delete()
        return True

    return transactions.run(work)


def _kept_no_longer(now: datetime) -> Q:
    before = now - durations.window(settings.IMPORT_RETENTION, speed=1.0)
    return Q(created_at__lt=before) & ~Q(state="running", stored=True)


def figures(run: ImportRun) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "id": run.pk,
        "name": run.name,
        "state": run.state,
        "dry": run.dry,
        "size": run.size,
        "position": run.position,
        "share": run.position / run.size if run.size else 1.0,
        **{name: getattr(run, name) for name in _FIGURES},
        "fault": run.fault,
        "checked": run.checked,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }
