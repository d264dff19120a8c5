"""Intake as it is often written: an event, a SERIALIZABLE transaction, Django's ORM. In the product's own tables."""
