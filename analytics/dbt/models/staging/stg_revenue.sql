-- Revenue, as the events say that the installation names. What is no number is no revenue. A table of its own, because
-- the log has no index by type.
{{ follow_events() }}
-- depends_on: {{ ref('stg_events') }}
{% set amounts = var('revenue_events') %}
{% set amount %}
    case e.type
    {% for type, property in amounts.items() %}
    when {{ quoted(type) }} then
        case when e.properties ->> {{ quoted(property) }} ~ '^-?[0-9]{1,12}(\.[0-9]{1,6})?$'
             then (e.properties ->> {{ quoted(property) }})::numeric end
    {% endfor %}
    end
{% endset %}
{% set currency %}
    case when e.properties ->> 'currency' ~ '^[A-Za-z]{3}$' then upper(e.properties ->> 'currency')
         else {{ quoted(var('currency')) }} end
{% endset %}
select event_id as revenue_id, event_id, contact_id, type, occurred_at, known_at, amount, currency, now() as built_at
  from ({{ from_events(
      "e.id as event_id, e.type, e.occurred_at, e.recorded_at as known_at, "
      ~ amount ~ " as amount, " ~ currency ~ " as currency",
      amounts) }}) as said
 where amount is not null
