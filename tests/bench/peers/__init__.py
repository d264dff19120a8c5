"""What one would pick instead of the product, written as one would write it."""
