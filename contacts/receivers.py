"""What this floor hears from the floors below; each receiver is one line: ring a doorbell, or count."""
