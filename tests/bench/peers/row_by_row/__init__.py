"""An import as a loop over rows, one ORM call each."""
