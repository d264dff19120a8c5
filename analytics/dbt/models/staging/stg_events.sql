-- Events that consent does not hold back, without what was said in them. Incremental: the log is the biggest table.
{{ follow_events() }}
{{ news(
     from_log("e.id as event_id, e.contact_id, e.type, e.source, e.occurred_at, e.recorded_at as known_at,
               coalesce(e.properties ->> 'is_machine' = 'true', false) as is_machine"),
     'event_id', ['event_id', 'contact_id', 'type', 'source', 'occurred_at', 'known_at', 'is_machine'],
     within='t.known_at >= ' ~ since()) }}
