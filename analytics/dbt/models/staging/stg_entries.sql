-- The first time that a living contact entered each workflow, and when they became known (no workflow). All of a contact
-- is made anew as soon as they enter another, or anything is told of them.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='contact_id',
    indexes=[{'columns': ['contact_id']}, {'columns': ['built_at'], 'type': 'brin'}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}", "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
with
{% if is_incremental() %}
told as materialized (
    {{ who_entered_anew() }}
    union
    {{ whose_rows_are_new('stg_contacts') }}
    union
    {{ moved_contacts() }}
),
{% endif %}
begun as (
    select contact_id, workflow, min(entered_at) as started_at
      from {{ ref('stg_enrolments') }}
    {% if is_incremental() %} where contact_id in (select contact_id from told) {% endif %}
     group by contact_id, workflow
)
select b.contact_id, b.workflow, b.started_at, now() as built_at
  from begun b
 where exists (select from {{ ref('stg_contacts') }} c where c.contact_id = b.contact_id)
union all
select contact_id, null, created_at, now()
  from {{ ref('stg_contacts') }}
{% if is_incremental() %} where contact_id in (select contact_id from told) {% endif %}
