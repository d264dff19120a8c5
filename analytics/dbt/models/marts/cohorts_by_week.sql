-- The same by weeks, which begin on Monday.
{{ cohorts('week') }}
