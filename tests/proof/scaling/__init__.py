"""How far one database carries: arithmetic over what was measured, a simulation beside it, and the tables of
docs/operations/scaling.md that are made from both."""
