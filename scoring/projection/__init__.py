"""What a score is: computed from facts when asked, and taken apart."""
