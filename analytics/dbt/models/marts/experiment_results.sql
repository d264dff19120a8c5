-- Every variant of every experiment: who was assigned, who of them counts (their window is over, and that of everybody
-- before them), who of these converted. Counted over the same rows as on the experiment's page and by the API.
with assigned as (
    select experiment, variant, count(*) as contacts, min(assigned_at) as first_at, max(assigned_at) as last_at
      from {{ source('carillon', 'experiment_assignments') }}
     group by experiment, variant
),
extent as (
    select experiment_id, coalesce(min(assigned_at) filter (where not settled), 'infinity') as until
      from {{ source('carillon', 'experiment_outcomes') }}
     group by experiment_id
),
counted as (
    select e.slug as experiment,
           o.variant,
           count(*) as settled,
           count(o.converted_at) as converted,
           percentile_cont(0.5) within group (order by extract(epoch from o.converted_at - o.assigned_at) / 3600) as hours
      from {{ source('carillon', 'experiment_outcomes') }} o
      join {{ source('carillon', 'experiments') }} e on e.id = o.experiment_id
      join extent x on x.experiment_id = o.experiment_id
     where o.settled and o.assigned_at < x.until
     group by e.slug, o.variant
)
select experiment,
       variant,
       coalesce(a.contacts, 0) as assigned,
       coalesce(c.settled, 0) as settled,
       coalesce(c.converted, 0) as converted,
       coalesce(c.converted::float8 / nullif(c.settled, 0), 0) as rate,
       a.first_at as first_assigned_at,
       a.last_at as last_assigned_at,
       round(c.hours::numeric, 2) as median_hours
  from assigned a
  full join counted c using (experiment, variant)
 where exists (select from {{ source('carillon', 'experiments') }} e where e.slug = experiment)
