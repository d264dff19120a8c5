"""The post office's pages in the admin: one noun a file."""
