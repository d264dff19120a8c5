"""What a message says: templates, their versions, and how they become words."""
