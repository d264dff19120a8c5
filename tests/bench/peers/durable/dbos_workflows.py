"""DBOS Transact: a workflow for each enrolment, its steps checkpointed in PostgreSQL; eight threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import journey
from dbos import DBOS, SetWorkflowID
from psycopg_pool import ConnectionPool

THREADS = 8
pool = ConnectionPool(os.environ["PEER_DATABASE_URL"], min_size=THREADS, max_size=THREADS, open=False)


@DBOS.step()
def take(enrolment_id: int) -> bool:
    with pool.connection() as connection:
        row = connection.execute(journey.READ, [enrolment_id]).fetchone()
        assert row is not None
        step, seq, attributes = row
        port, following = journey.way(step, attributes)
        state = "active" if following else "completed"
        connection.execute(journey.MOVE, [following or step, seq + 1, state, enrolment_id])
        connection.execute(journey.LOG, [enrolment_id, seq + 1, step, port])
    return following is not None


@DBOS.workflow()
def run(enrolment_id: int) -> None:
    while take(enrolment_id):
        pass


def main() -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": os.environ["PEER_SYSTEM_DATABASE_URL"],
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    pool.open(wait=True)
    turn = os.environ["PEER_TURN"]

    def begin(enrolment_id: int) -> None:
        with SetWorkflowID(f"{turn}-{enrolment_id}"):
            run(enrolment_id)

    def work() -> None:
        with pool.connection() as connection:
            ids = [row[0] for row in connection.execute("SELECT id FROM naive_naiveenrolment ORDER BY id")]
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(begin, ids))

    journey.play(work)
    DBOS.destroy()
    pool.close()


if __name__ == "__main__":
    main()
