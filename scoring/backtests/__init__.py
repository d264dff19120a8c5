"""Drafts tried on recorded history: who would have crossed, when, and what became of them."""
