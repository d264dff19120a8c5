-- Buyers by the month of their first purchase: how many bought again so many months later. Months in which none of
-- them did are there, too.
with bought as (
    select distinct contact_id, {{ period_of('month', 'occurred_at') }} as month
      from {{ ref('stg_conversions') }}
     where kind = 'revenue' and amount > 0
),
cohort as (
    select contact_id, min(month) as cohort from bought group by contact_id
),
sizes as (
    select cohort, count(*) as buyers from cohort group by cohort
),
again as (
    select c.cohort, {{ periods_between('month', 'b.month', 'c.cohort') }} as later, count(*) as buyers
      from bought b
      join cohort c on c.contact_id = b.contact_id
     group by 1, 2
)
select s.cohort,
       months.later as months_later,
       s.buyers as buyers,
       coalesce(a.buyers, 0) as bought,
       round(coalesce(a.buyers, 0)::numeric / s.buyers, 4) as share
  from sizes s
 cross join lateral generate_series(
       0, {{ periods_between('month', period_of('month', "'" ~ run_started_at.isoformat() ~ "'::timestamptz"), 's.cohort') }}
 ) as months(later)
  left join again a on a.cohort = s.cohort and a.later = months.later
