-- In which months and weeks a living contact did something: neither what we noted about them nor what machines opened.
-- `known_at` is when the last of it was recorded: once that month is dropped, it may be that nothing is left.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key=['contact_id', 'unit', 'period'],
    indexes=[{'columns': ['contact_id', 'unit', 'period'], 'unique': true}, {'columns': ['known_at']},
             {'columns': ['built_at'], 'type': 'brin'}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}", "{{ forget_idle(this) }}",
               "{% if is_incremental() %}
                update {{ this }} t set cohort = date_trunc(t.unit, k.created_at at time zone 'UTC')::date, built_at = now()
                  from {{ ref('stg_contacts') }} k
                 where t.contact_id = k.contact_id and k.built_at > {{ built_since() }}
                   and t.cohort <> date_trunc(t.unit, k.created_at at time zone 'UTC')::date
                {% endif %}",
               "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
with deeds as (
    select contact_id, occurred_at, known_at
      from {{ ref('stg_events') }} e
     where (source <> 'own' or (type in ('email_opened', 'email_clicked') and not is_machine))
    {% if is_incremental() %} and built_at > {{ built_since() }} {% endif %}
),
periods as (
{% for unit in ['month', 'week'] %}
    select contact_id, '{{ unit }}' as unit, {{ period_of(unit, 'occurred_at') }} as period, max(known_at) as known_at
      from deeds
     group by contact_id, 3
{{ "union all" if not loop.last }}
{% endfor %}
)
select p.contact_id,
       p.unit,
       p.period,
       date_trunc(p.unit, k.created_at at time zone 'UTC')::date as cohort,
       p.known_at,
       now() as built_at
  from periods p
  join {{ ref('stg_contacts') }} k on k.contact_id = p.contact_id
{% if is_incremental() %}
 where not exists (select from {{ this }} t
                    where t.contact_id = p.contact_id and t.unit = p.unit and t.period = p.period
                      and t.known_at >= p.known_at)
{% endif %}
