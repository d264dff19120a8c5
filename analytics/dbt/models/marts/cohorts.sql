-- Contacts by the month in which they became known: how many did anything so many months later, and how many had
-- converted by then.
{{ cohorts('month') }}
