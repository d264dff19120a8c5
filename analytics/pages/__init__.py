"""The observatory's pages in the admin: one noun a file."""
