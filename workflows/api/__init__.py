"""The engine over HTTP: one noun a file."""
