-- Whoever was erased an hour before the run began, or earlier, is in no table of rows about people.
{% set models = ["stg_contacts", "stg_events", "stg_activity", "stg_messages", "stg_touches", "stg_enrolments", "stg_stages",
                 "stg_stage_events", "stg_revenue", "attribution", "conversions"] %}
with erased as (
    select id as contact_id from {{ source('carillon', 'contacts') }}
     where erased_at < '{{ run_started_at.isoformat() }}'::timestamptz - interval '1 hour'
)
{% for model in models %}
select '{{ model }}' as model, contact_id from {{ ref(model) }} where contact_id in (select contact_id from erased)
{{ "union all" if not loop.last }}
{% endfor %}
