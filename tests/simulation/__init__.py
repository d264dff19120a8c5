"""The deterministic simulation: one process, a real PostgreSQL, and a seed that decides everything else."""
