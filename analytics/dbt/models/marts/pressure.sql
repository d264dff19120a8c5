-- Week by week (from Monday, UTC): how many contacts got how many marketing messages, and what that did to them. A week
-- is counted anew when anything is told of one of its messages.
{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where week in {{ weeks_told() }}{% endif %}") }}
with weeks as (
    select contact_id,
           week,
           count(*) filter (where accepted_at is not null) as received,
           count(*) filter (where outcome = 'capped') as held_back,
           bool_or(opened_at is not null) as opened,
           bool_or(unsubscribed_at is not null or complained_at is not null) as left_us
    {% if is_incremental() %}
      from {{ weeks_told() }} as told
      join {{ ref('stg_messages') }}
        on created_at >= week::timestamp at time zone 'UTC' and created_at < (week + 7)::timestamp at time zone 'UTC'
    {% else %}
      from (select *, {{ period_of('week', 'created_at') }} as week from {{ ref('stg_messages') }}) as messages
    {% endif %}
     where message_class = 'marketing' and contact_id is not null
     group by contact_id, week
)
select week,
       least(received, 10) as received,
       count(*) as contacts,
       sum(held_back)::bigint as held_back,
       count(*) filter (where opened) as opened,
       count(*) filter (where left_us) as left_us,
       round(count(*) filter (where left_us)::numeric / count(*), 4) as share_that_left
  from weeks
 group by week, least(received, 10)
