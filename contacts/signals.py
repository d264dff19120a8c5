"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""
