-- Whoever is in a stage still stays there: the funnel and the time in stages count the same people.
select f.stage, f.here_now, t.still_there
  from {{ ref('funnel') }} f
  full join (select stage, sum(still_there) as still_there from {{ ref('time_in_stage') }} group by stage) t
    on t.stage = f.stage
 where coalesce(f.here_now, 0) <> coalesce(t.still_there, 0)
