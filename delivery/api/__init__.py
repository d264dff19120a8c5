"""The post office over HTTP: one noun a file."""
