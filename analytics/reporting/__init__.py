"""What other people's tools read: views with names that stay, and a role that reads nothing else."""
