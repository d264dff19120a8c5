"""Numbers that are counted where the work is done, and proven by counting again."""
