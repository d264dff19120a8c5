-- What the contacts of a month brought in so many months later, in each currency.
with cohort as (
    select contact_id, {{ period_of('month', 'created_at') }} as cohort from {{ ref('stg_contacts') }}
)
select c.cohort,
       greatest({{ periods_between('month', period_of('month', 'v.occurred_at'), 'c.cohort') }}, 0) as months_later,
       v.currency,
       count(*) as sales,
       count(distinct v.contact_id) as buyers,
       sum(v.amount) as amount,
       sum(sum(v.amount)) over (
           partition by c.cohort, v.currency
           order by greatest({{ periods_between('month', period_of('month', 'v.occurred_at'), 'c.cohort') }}, 0)
       ) as amount_so_far
  from {{ ref('stg_conversions') }} v
  join cohort c on c.contact_id = v.contact_id
 where v.kind = 'revenue'
 group by 1, 2, 3
