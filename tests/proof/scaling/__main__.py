"""`python -m tests.proof.scaling [postgres://…]`: writes the tables of docs/operations/scaling.md anew, as `bin/bench`
does with its own; those of the schema only if a migrated database is named."""

import sys

import psycopg

from tests.proof import kept, readme
from tests.proof.scaling import citus, page, redis_keys

if __name__ == "__main__":
    page.write(kept.load(kept.BENCHES))
    readme.put(redis_keys.text(), page.PATH, page.OF_REDIS)
    for url in sys.argv[1:]:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            readme.put(citus.text(citus.read(cursor)), page.PATH, page.OF_THE_SCHEMA)
