"""Which variant does better, and when that may be said: tests that may be looked at after every contact."""
