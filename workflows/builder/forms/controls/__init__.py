"""One kind of control a file."""
