-- Whatever may have moved somebody: messages that were taken by a provider, and the events that the installation names.
{{ follow_events(unique_key='touch_id') }}
-- depends_on: {{ ref('stg_events') }}
{% set touch_events = var('touch_events') %}
{% set touch_type %}
    case e.type
    {% for type, property in touch_events.items() if property %}
    when {{ quoted(type) }} then coalesce(nullif(e.properties ->> {{ quoted(property) }}, ''), e.type)
    {% endfor %}
    when null then null
    else e.type end
{% endset %}
select 'message:' || message_id as touch_id,
       null::bigint as event_id,
       contact_id,
       channel as touch_type,
       workflow,
       accepted_at as occurred_at,
       accepted_at as known_at,
       message_id as sequence,
       now() as built_at
  from {{ ref('stg_messages') }}
 where accepted_at is not null and contact_id is not null
{% if is_incremental() %}
   and message_id in (select message_id from {{ ref('stg_messages') }} where built_at > {{ built_since() }}
                      union
                      select message_id from {{ ref('stg_messages') }} where contact_id in {{ moved_contacts() }})
{% endif %}
union all
select 'event:' || event_id, event_id, contact_id, touch_type, null, occurred_at, known_at, event_id, now()
  from ({{ from_events(
      "e.id as event_id, " ~ touch_type ~ " as touch_type, e.occurred_at, e.recorded_at as known_at", touch_events) }}) as said
