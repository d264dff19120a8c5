"""The builder's pages: the map, what is done on it, and the panel beside it."""
