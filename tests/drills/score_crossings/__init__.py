"""The drill `score_crossings`: each crossing of a threshold exactly once, true, and none missed."""
