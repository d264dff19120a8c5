"""procrastinate: a job for each step, which defers the next one; eight at a time on one event loop."""

from __future__ import annotations

import asyncio
import os

import journey
import procrastinate
from psycopg_pool import AsyncConnectionPool

CONCURRENCY = 8
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["PEER_DATABASE_URL"], min_size=2, max_size=CONCURRENCY)
)
pool = AsyncConnectionPool(os.environ["PEER_DATABASE_URL"], min_size=CONCURRENCY, max_size=CONCURRENCY, open=False)


@app.task(name="run_step")
async def run_step(enrolment_id: int) -> None:
    async with pool.connection() as connection:
        row = await (await connection.execute(journey.READ, [enrolment_id])).fetchone()
        assert row is not None
        step, seq, attributes = row
        port, following = journey.way(step, attributes)
        state = "active" if following else "completed"
        await connection.execute(journey.MOVE, [following or step, seq + 1, state, enrolment_id])
        await connection.execute(journey.LOG, [enrolment_id, seq + 1, step, port])
    if following:
        await run_step.defer_async(enrolment_id=enrolment_id)


async def main() -> None:
    async with app.open_async():
        await pool.open(wait=True)
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        print(journey.READY, flush=True)
        loop = asyncio.get_running_loop()
        if (await loop.run_in_executor(None, input)).strip() == journey.GO:
            async with pool.connection() as connection:
                rows = await (await connection.execute("SELECT id FROM naive_naiveenrolment ORDER BY id")).fetchall()
            await run_step.batch_defer_async(*({"enrolment_id": row[0]} for row in rows))
            await app.run_worker_async(wait=False, concurrency=CONCURRENCY, install_signal_handlers=False)
            print(journey.DONE, flush=True)
            await loop.run_in_executor(None, input)
        await pool.close()


if __name__ == "__main__":
    asyncio.run(main())
