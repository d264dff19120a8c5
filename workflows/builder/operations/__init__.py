"""What may be done to a draft: pure, a definition in and another one out. Each says in a few words what it did."""
