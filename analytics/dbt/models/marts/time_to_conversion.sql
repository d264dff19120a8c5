-- How long the first conversion of its kind took, in days: since the contact is known, since the first touch in it, and
-- since they entered their first workflow (one row for each). Who converted before that is left out.
with measured as (
    select c.kind, m.since, m.entry_workflow, m.days
      from {{ ref('conversions') }} c
     cross join lateral (values ('known', null, c.days_since_known),
                                ('first_touch', null, c.days_since_first_touch),
                                ('entry', c.entry_workflow, c.days_since_entry)) as m(since, entry_workflow, days)
     where c.nth = 1 and m.days >= 0
)
select kind,
       since,
       entry_workflow,
       count(*) as conversions,
       {{ percentiles('days') }}
  from measured
 group by kind, since, entry_workflow
