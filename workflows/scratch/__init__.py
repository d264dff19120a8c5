"""A scratch schema: the whole product once more beside the live tables, in the same database, under a clock that is
driven by hand. Journey tests and rehearsals run in it.

    with scratch.open_scratch(now=since) as room:        # from here on this process talks to the scratch alone
        room.copy("contacts", where="created_at < %s", params=[since])     # rows of the live schema, as they stand
        publishing.save_draft(...); publishing.publish(...)                # any door of the product, as in production
        room.run_until(first_event_at)                   # whatever is due until then, each at its own instant
        events.record_batch(...)                         # inside contacts.transactions.run: its `now` is room.now
        room.run_until(the_end, each=progress)
        rows = room.ask("SELECT ...")                    # reads the scratch
        rows = room.ask_live("SELECT ...")               # reads the live schema, in a read-only transaction
    # the scratch is empty again, and the process talks to the live schema

What holds inside:

* `django.db.connection` is the scratch, under a role that may not touch a live table (where the database lets us make
  one). It commits as in production, isolation levels work, and a lost connection comes back into the scratch.
* `now()`, `statement_timestamp()`, `clock_timestamp()` and `transaction_timestamp()` of SQL are functions of the
  schema that answer `room.now`, and so do `contacts.clock.now()` and every default of a column. The clock stands
  still until `run_until` or `set_clock` moves it.
* The outside is closed (`contacts.outside`): no Redis, no broker, no request. Doorbells are noted, and `settle`
  answers them one after another with the production tasks; what no bell told of, the production sweeps find.
* `EMAIL_PROVIDER` is the sandbox, `TIME_SPEED` is 1. Nothing is sent.
* Process-wide: one scratch at a time, in a process of its own (a management command), never in a web process.

Doors: `open_scratch`, and the methods of `Scratch` (`room.py`). A schema of the pool is made by the migrations when it
is first needed and whenever they changed (some seconds), else it is only emptied (some ten milliseconds). Two
processes at once get two schemas. Errors: `NoScratch` says in a sentence why there is none; `Restless` that work at
one instant makes work without end.
"""

from workflows.scratch.driver import Restless
from workflows.scratch.room import Scratch, open_scratch
from workflows.scratch.schemas import NoScratch

__all__ = ["NoScratch", "Restless", "Scratch", "open_scratch"]
