"""Every way into a workflow: what lets contacts in, what brings them, and when."""
