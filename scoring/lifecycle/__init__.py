"""How far a contact has come: an append-only log of stages, and what moves people along."""
