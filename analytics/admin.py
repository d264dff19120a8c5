"""What counting adds to the pages of the floors below: the numbers of the journeys."""

from analytics import counters
from workflows import figures

figures.register(counters.figures)
