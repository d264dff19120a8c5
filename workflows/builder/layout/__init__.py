"""Where everything of a journey is drawn. Positions are never stored: the same definition always gives the same map."""
