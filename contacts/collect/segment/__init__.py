"""Segment's HTTP API and its browser client: bodies become messages, messages become people and events."""
