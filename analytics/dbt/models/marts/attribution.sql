-- Every conversion spread over the touches before it, by five models. In each model the weights of a conversion add up
-- to 1 and its amounts to the revenue, to the last digit; who converted without a touch has one row, `direct`.
--
-- A touch counts up to the instant of the conversion and `attribution_days` back; of equal times, what was recorded
-- first came first. What is recorded late has its effect: all rows of a conversion are made anew as soon as anything is
-- told of it or of a touch before it, all of a contact who changed hands, and everybody's when the project's variables
-- change.
{%- set rules = local_md5(tojson([var('revenue_events'), var('touch_events'), var('stage_events'), var('currency'),
                                  var('attribution_days'), var('attribution_half_life_days')]))[:8] %}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='conversion_id',
    indexes=[{'columns': ['contact_id']}, {'columns': ['conversion_id']}, {'columns': ['built_at'], 'type': 'brin'}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}", "{{ forget_conversions(this) }}",
               "delete from {{ this }} where rules <> '" ~ rules ~ "'", "{{ take_stock(this) }}"]
) }}
-- depends_on: {{ ref('stg_moved') }}, {{ ref('stg_contacts') }}
with
{% if is_incremental() %}
told as materialized (
    {{ whose_rows_are_new('stg_contacts') }}
    union
    {{ moved_contacts() }}
    union
    -- of touches that retention dropped: they had happened before the log begins, or within the day that a producer's
    -- clock may be ahead
    select contact_id from {{ this }} a
     where model = 'linear' and touch_id like 'event:%' and touched_at < {{ oldest_month() }} + interval '1 day'
       and not exists (select from {{ ref('stg_touches') }} t where t.touch_id = a.touch_id)
),
new_touches as materialized (
    select contact_id, touch_id, occurred_at from {{ ref('stg_touches') }} where built_at > {{ built_since() }}
),
conversions as materialized (
    select * from {{ ref('stg_conversions') }} c
     where (built_at > {{ built_since() }}
            -- of customers only the instant may change: their other stays are built anew beside it
            and not exists (select from {{ this }} a
                             where a.conversion_id = c.conversion_id and a.contact_id = c.contact_id
                               and a.kind = 'customer' and a.converted_at = c.occurred_at))
        or contact_id in (select contact_id from told)
        or not exists (select from {{ this }} where rules = '{{ rules }}')
        -- one that counts now, or one that did
        or conversion_id in (select n.conversion_id from {{ ref('stg_conversions') }} n
                               join new_touches t
                                 on t.contact_id = n.contact_id
                                and t.occurred_at <= n.occurred_at
                                and t.occurred_at > n.occurred_at - interval '{{ var("attribution_days") }} days')
        or conversion_id in (select a.conversion_id from {{ this }} a
                               join new_touches t on t.contact_id = a.contact_id and t.touch_id = a.touch_id)
),
{% else %}
conversions as materialized (
    select * from {{ ref('stg_conversions') }}
),
{% endif %}
paths as (
    select c.*,
           t.touch_id,
           t.touch_type,
           t.workflow,
           t.occurred_at as touched_at,
           row_number() over path as place,
           greatest(count(t.touch_id) over whole, 1) as places,
           count(t.touch_id) over whole as touches,
           -- what is left after so many half-lives: of this touch and those before it, of those before it, of all
           sum(f.left_over) over path as fresh_upto,
           coalesce(sum(f.left_over) over (path rows between unbounded preceding and 1 preceding), 0) as fresh_before,
           sum(f.left_over) over whole as fresh_whole
      from conversions c
      left join {{ ref('stg_touches') }} t
        on t.contact_id = c.contact_id
       and t.occurred_at <= c.occurred_at
       and t.occurred_at > c.occurred_at - interval '{{ var("attribution_days") }} days'
       and t.touch_id is distinct from c.own_touch_id
     cross join lateral (select power(2::float8, coalesce(-extract(epoch from c.occurred_at - t.occurred_at)::float8, 0)
                                                 / (86400.0 * {{ var("attribution_half_life_days") }}))) as f(left_over)
    window whole as (partition by c.contact_id, c.conversion_id),
           path as (whole order by t.occurred_at, t.known_at, t.sequence, t.touch_id)
),
-- How much of the conversion the touches have up to this one, and how much those before it. What rounding takes from
-- one goes to the next, and the last makes it whole.
parted as (
    select p.*,
           m.model,
           case when place = 1 then 0 else m.before end::numeric as before,
           case when place = places then 1 else m.upto end::numeric as upto
      from paths p
     cross join lateral (values
           ('first', (place > 1)::int, 1),
           ('last', 0, (place = places)::int),
           ('linear', (place - 1)::float8 / places, place::float8 / places),
           ('position', {{ by_position('place - 1') }}, {{ by_position('place') }}),
           ('time_decay', fresh_before / fresh_whole, fresh_upto / fresh_whole)) as m(model, before, upto)
)
select conversion_id,
       contact_id,
       kind,
       source,
       model,
       coalesce(touch_id, 'direct') as touch_id,
       case when touch_id is null then 'direct' else touch_type end as touch_type,
       workflow,
       touched_at,
       occurred_at as converted_at,
       touches::int as touches,
       case when touch_id is null then 0 else place end::int as place,
       round(upto, 9) - round(before, 9) as weight,
       round(amount * upto, 6) - round(amount * before, 6) as amount,
       currency,
       now() as built_at,
       '{{ rules }}' as rules
  from parted
 where upto > before
