"""A journey as a Celery task per step, as tutorials show it: load the enrolment and the contact, decide in Python,
save, log, enqueue the next step. An app of its own, beside the product's, in the same database."""
