-- Events that say that a contact came to a stage in another system. A table of its own, because the log has no index by
-- type.
{{ follow_events() }}
-- depends_on: {{ ref('stg_events') }}
{% set stage_events = var('stage_events') %}
{% set stage %}
    case e.type
    {% for type, property in stage_events.items() %}
    when {{ quoted(type) }} then e.properties ->> {{ quoted(property) }}
    {% endfor %}
    end
{% endset %}
select event_id, contact_id, stage, occurred_at, known_at, now() as built_at
  from ({{ from_events(
      "e.id as event_id, " ~ stage ~ " as stage, e.occurred_at, e.recorded_at as known_at", stage_events) }}) as said
 where stage in ('subscriber', 'lead', 'mql', 'sql', 'opportunity', 'customer', 'churned')
