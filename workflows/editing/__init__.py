"""Moving people who are under way to another version."""
