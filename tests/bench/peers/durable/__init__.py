"""Engines of durable execution with PostgreSQL underneath, each used as its documentation shows: the same journey, a
row at a time. They run in an environment of their own and import nothing of the product."""
