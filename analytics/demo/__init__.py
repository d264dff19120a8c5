"""The demonstration: real purchases replayed through the public API, faster than life."""
