"""The reference of the guides, made from the code each time they are built, so that it cannot go stale."""
