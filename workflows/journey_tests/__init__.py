"""Journey tests: a definition file carries its own cases, and the production engine runs them in a scratch schema.

`document.py` reads the file and names every mistake by its place; `running.py` runs a case; `deeds.py` and `checks.py`
hold what may be done and asked, one function each; `telling.py` says in sentences what a contact did."""
