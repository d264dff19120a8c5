-- Stage by stage: how many ever came there, how many are there now, how many went on to a later one.
with ordered (stage, place) as (
    values ('subscriber', 1), ('lead', 2), ('mql', 3), ('sql', 4), ('opportunity', 5), ('customer', 6), ('churned', 7)
),
counted as (
    select stage,
           count(*) filter (where is_first) as ever,
           count(*) filter (where next_stage is null) as here_now,
           count(*) filter (where went_on) as went_on
      from {{ ref('stg_stages') }}
     group by stage
)
select o.place,
       o.stage,
       coalesce(c.ever, 0) as ever,
       coalesce(c.here_now, 0) as here_now,
       coalesce(c.went_on, 0) as went_on,
       round(c.went_on::numeric / nullif(c.ever, 0), 4) as share_that_went_on
  from ordered o
  left join counted c on c.stage = o.stage
