"""How fast, how much and whether at all a provider is used."""
