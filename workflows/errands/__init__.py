"""What steps ask of others: calls to servers, tasks for salespeople, and the data merged into them."""
