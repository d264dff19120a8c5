-- How long contacts stay in a stage, by the workflow that they were in first (null: none before the stage).
with stays as (
    select stage, entry_workflow, left_at, extract(epoch from left_at - entered_at)::float8 / 86400 as days
      from {{ ref('stg_stages') }}
)
select stage,
       entry_workflow,
       count(*) as stays,
       count(*) filter (where left_at is null) as still_there,
       {{ percentiles('days') }},
       count(*) filter (where days < 1) as within_1_day,
       count(*) filter (where days >= 1 and days < 7) as within_7_days,
       count(*) filter (where days >= 7 and days < 30) as within_30_days,
       count(*) filter (where days >= 30 and days < 90) as within_90_days,
       count(*) filter (where days >= 90) as later
  from stays
 group by stage, entry_workflow
