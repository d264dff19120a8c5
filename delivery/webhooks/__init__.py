"""What providers report: taken in, kept, and folded into what we know."""
