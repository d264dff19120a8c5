"""Rehearsal: what a workflow would do, or would have done, with the real events of a period. The production engine
plays them in a scratch schema under a simulated clock, and sends nothing."""
