-- How long it takes to come to a stage for the first time: since the contact is known (no entry workflow), and since
-- each workflow that they entered before. time-to-MQL of a journey is the row with its name and the stage mql. Contacts
-- who had reached the stage before they entered are not among `contacts`; those who have not reached it yet are, but
-- have no part in the days, so a small `share` says that these are the quick ones.
with entered as (
    select workflow as entry_workflow, count(*) as contacts from {{ ref('stg_entries') }} group by workflow
),
came as (
    select entry_workflow,
           stage,
           count(*) filter (where days < 0) as before,
           count(*) filter (where days >= 0) as reached,
           {{ percentiles('days', 'days >= 0') }}
      from {{ ref('stg_arrivals') }}
     group by entry_workflow, stage
)
select c.entry_workflow,
       c.stage,
       e.contacts - c.before as contacts,
       c.reached,
       round(c.reached::numeric / (e.contacts - c.before), 4) as share,
       p10_days,
       p25_days,
       median_days,
       p75_days,
       p90_days,
       mean_days
  from came c
  join entered e on e.entry_workflow is not distinct from c.entry_workflow
 where c.reached > 0
