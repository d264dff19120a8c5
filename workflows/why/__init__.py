""" "Why did she get this?", and "why did she not?": the doors of the answer."""

from workflows.why.answer import Gate, Why, why

__all__ = ["Gate", "Why", "why"]
