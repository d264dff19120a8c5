-- What is attributed, of living contacts: revenue, and the first time that somebody became a customer (worth nothing by
-- itself, in no currency). `known_at` is when we were told, which may be long after.
with said as (
    select 'revenue:' || revenue_id as conversion_id,
           contact_id,
           'revenue' as kind,
           type as source,
           occurred_at,
           known_at,
           amount,
           currency,
           built_at,
           'event:' || revenue_id as own_touch_id
      from {{ ref('stg_revenue') }}
    union all
    select 'customer:' || contact_id, contact_id, 'customer', 'customer', entered_at, known_at, 0::numeric, 'none',
           built_at, null
      from {{ ref('stg_stages') }}
     where stage = 'customer' and is_first
)
select said.* from said where exists (select from {{ ref('stg_contacts') }} c where c.contact_id = said.contact_id)
