-- Every conversion, and how long it took: since the contact is known, since the first touch that has a part in it, and
-- since the contact entered the first workflow.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='contact_id',
    indexes=[{'columns': ['contact_id']}, {'columns': ['conversion_id'], 'unique': true}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}", "{{ forget_conversions(this) }}", "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
with
{% if is_incremental() %}
told as materialized (
    {{ whose_rows_are_new('attribution') }}
    union
    {{ who_entered_anew() }}
    union
    {{ whose_rows_are_new('stg_contacts') }}
    union
    {{ moved_contacts() }}
),
{% endif %}
paths as (
    select conversion_id,
           max(touches) as touches,
           min(touched_at) as first_touch_at,
           max(touch_type) filter (where place <= 1) as first_touch_type,
           max(touch_type) filter (where place = touches) as last_touch_type
      from {{ ref('attribution') }}
     where model = 'linear'
    {% if is_incremental() %} and contact_id in (select contact_id from told) {% endif %}
     group by conversion_id
)
select c.conversion_id,
       c.contact_id,
       c.kind,
       c.source,
       c.currency,
       c.amount,
       c.occurred_at as converted_at,
       row_number() over (partition by c.contact_id, c.kind order by c.occurred_at, c.known_at, c.conversion_id) as nth,
       coalesce(p.touches, 0) as touches,
       p.first_touch_type,
       p.last_touch_type,
       e.workflow as entry_workflow,
       extract(epoch from c.occurred_at - k.created_at) / 86400 as days_since_known,
       extract(epoch from c.occurred_at - p.first_touch_at) / 86400 as days_since_first_touch,
       extract(epoch from c.occurred_at - e.entered_at) / 86400 as days_since_entry
  from {{ ref('stg_conversions') }} c
  join {{ ref('stg_contacts') }} k on k.contact_id = c.contact_id
  left join paths p on p.conversion_id = c.conversion_id
  left join lateral (select workflow, entered_at from {{ ref('stg_enrolments') }} e
                      where e.contact_id = c.contact_id order by entered_at, enrolment_id limit 1) e
    on e.entered_at <= c.occurred_at
{% if is_incremental() %}
 where c.contact_id in (select contact_id from told)
{% endif %}
