"""The warehouse: what dbt builds out of the facts, run as a process of its own, watched from here."""
