-- For each workflow that a contact entered (null: since they are known) and each stage that they ever reached: when they
-- first did. Less than nothing (`days`) where that was before. All of a contact is made anew as soon as anything of
-- theirs is told, or is gone.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='contact_id',
    indexes=[{'columns': ['contact_id']}, {'columns': ['known_at']},
             {'columns': ['built_at'], 'type': 'brin'}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}",
               "delete from {{ this }} t
                 where known_at < {{ oldest_month() }}
                   and not exists (select from {{ ref('stg_stages') }} s where s.stay_id = t.stay_id and s.is_first)",
               "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
{% if is_incremental() %}
with told as materialized (
    {{ whose_rows_are_new('stg_stages') }}
    union
    {{ whose_rows_are_new('stg_entries') }}
    union
    {{ moved_contacts() }}
    union
    select contact_id from {{ this }} t
     where known_at < {{ oldest_month() }}
       and not exists (select from {{ ref('stg_stages') }} s where s.stay_id = t.stay_id and s.is_first)
)
{% endif %}
select e.contact_id,
       e.workflow as entry_workflow,
       s.stage,
       s.stay_id,
       s.known_at,
       extract(epoch from s.entered_at - e.started_at)::float8 / 86400 as days,
       now() as built_at
  from {{ ref('stg_entries') }} e
  join {{ ref('stg_stages') }} s on s.contact_id = e.contact_id and s.is_first
{% if is_incremental() %}
 where e.contact_id in (select contact_id from told)
{% endif %}
