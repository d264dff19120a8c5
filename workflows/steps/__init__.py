"""One file per kind of step. Adding one: copy the smallest neighbour and name it in `registry.py`."""
