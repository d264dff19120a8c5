"""What facts end: waits that look at the log, and leaving before the end."""
