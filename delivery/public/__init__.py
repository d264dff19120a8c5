"""Pages and links for whoever got a message, who has no account."""
