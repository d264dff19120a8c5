"""What earns points: rules, their versions, and the words for them."""
