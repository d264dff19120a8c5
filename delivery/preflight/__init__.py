"""Pre-flight: what the world will say of a sending domain before the first campaign goes out from it."""
