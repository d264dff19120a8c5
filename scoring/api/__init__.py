"""The judge over HTTP: one noun a file."""
