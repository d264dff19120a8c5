"""The editor of templates: one deed a file."""
