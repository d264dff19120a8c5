"""The observatory over HTTP: one noun a file."""
