"""Workflow definitions: their schema, and what is wrong with them."""
