"""One file per kind of trigger. Adding one: copy the smallest neighbour and name it in `registry.py`."""
