"""Steps that fail, and what becomes of whom they failed for."""
