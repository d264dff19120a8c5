{# Contacts by the month or week (`unit`) in which they became known, and what they did so many of them later. #}
{% macro periods_between(unit, later, earlier) -%}
    {%- if unit == 'week' -%} (({{ later }} - {{ earlier }}) / 7)
    {%- else -%} ((extract(year from {{ later }}) - extract(year from {{ earlier }})) * 12
                  + extract(month from {{ later }}) - extract(month from {{ earlier }}))::int
    {%- endif -%}
{%- endmacro %}

{% macro period_of(unit, at) -%} date_trunc('{{ unit }}', {{ at }} at time zone 'UTC')::date {%- endmacro %}

{% macro cohorts(unit) -%}
with cohort as (
    select contact_id, {{ period_of(unit, 'created_at') }} as cohort from {{ ref('stg_contacts') }}
),
active as (
    select cohort, {{ periods_between(unit, 'period', 'cohort') }} as later, contacts
      from {{ ref('stg_cohort_activity') }}
     where unit = '{{ unit }}' and period >= cohort
),
firsts as (
    select contact_id, {{ period_of(unit, 'min(occurred_at)') }} as period
      from {{ ref('stg_conversions') }}
     group by contact_id
),
converted as (
    -- a conversion before the contact was known here counts from the beginning
    select c.cohort, greatest({{ periods_between(unit, 'f.period', 'c.cohort') }}, 0) as later, count(*) as contacts
      from firsts f
      join cohort c on c.contact_id = f.contact_id
     group by 1, 2
),
sizes as (
    select cohort, count(*) as contacts from cohort group by cohort
),
grid as (
    select s.cohort, s.contacts, later
      from sizes s
     cross join lateral generate_series(
           0, {{ periods_between(unit, period_of(unit, "'" ~ run_started_at.isoformat() ~ "'::timestamptz"), 's.cohort') }}
     ) as later
)
select g.cohort,
       g.later as {{ unit }}s_later,
       g.contacts,
       coalesce(a.contacts, 0) as active,
       round(coalesce(a.contacts, 0)::numeric / g.contacts, 4) as active_share,
       coalesce(sum(v.contacts) over (partition by g.cohort order by g.later), 0)::bigint as converted,
       round(coalesce(sum(v.contacts) over (partition by g.cohort order by g.later), 0) / g.contacts, 4)
           as converted_share
  from grid g
  left join active a on a.cohort = g.cohort and a.later = g.later
  left join converted v on v.cohort = g.cohort and v.later = g.later
{%- endmacro %}

{# Weeks of messages of which something was told since the last good run. #}
{% macro weeks_told() %}
    (select distinct {{ period_of('week', 'created_at') }} as week from {{ ref('stg_messages') }} where built_at > {{ built_since() }})
{%- endmacro %}
