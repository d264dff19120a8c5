"""When a score reaches a threshold: who is looked at, when, and each crossing told once."""
