-- Revenue by day (UTC), currency and the event that said so. Amounts are added up within a currency only.
select (occurred_at at time zone 'UTC')::date as day,
       currency,
       source,
       count(*) as sales,
       count(distinct contact_id) as buyers,
       sum(amount) as amount
  from {{ ref('stg_conversions') }}
 where kind = 'revenue'
 group by 1, currency, source
