"""The limit: no engine at all, two loops around one statement that somebody wrote by hand for this one journey."""
