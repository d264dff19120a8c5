"""Requests to servers of other people, at addresses that somebody typed in: guarded (`targets`), signed (`signatures`),
bounded (`calls`). Whoever wants one made keeps a row for it and calls `calls.start` while no transaction is open."""
