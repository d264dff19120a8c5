-- The distribution behind time_to_stage: how many came to a stage within which days. Empty classes are left out.
{%- set bounds = [0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 365] %}
with classed as (
    select entry_workflow, stage, days, width_bucket(days, array{{ bounds }}::float8[]) as place
      from {{ ref('stg_arrivals') }}
     where days >= 0
)
select entry_workflow,
       stage,
       (array{{ bounds }})[place] as from_days,
       (array{{ bounds }})[place + 1] as below_days,
       count(*) as contacts
  from classed
 group by entry_workflow, stage, place
