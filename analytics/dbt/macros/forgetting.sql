{# What goes from tables that incremental runs keep up. #}

{# Before what is new is written: whoever changed hands has all rows taken out, and is read anew as a whole. #}
{% macro forget_moved(relation) %}
    {%- if is_incremental() -%}
    delete from {{ relation }} where contact_id in {{ moved_contacts() }}
    {%- endif -%}
{% endmacro %}

{# After a run: rows of people who were erased since they were read go. #}
{% macro forget_erased(relation) %}
    {%- if is_incremental() -%}
    delete from {{ relation }} where contact_id in (select contact_id from {{ ref('stg_moved') }} where erased)
    {%- endif -%}
{% endmacro %}

{# The beginning of the oldest month of the log; older events lie in no month, or were dropped. A literal, so that
   PostgreSQL knows that hardly any are older. #}
{% macro oldest_month() %}
    {%- if not execute -%}{{ return("timestamptz 'infinity'") }}{%- endif -%}
    {%- set found = run_query(
        "select coalesce(min(to_date(right(c.relname, 7), 'YYYY_MM'))::text, 'infinity') from pg_inherits i"
        ~ " join pg_class c on c.oid = i.inhrelid where i.inhparent = '" ~ source('carillon', 'contact_events')
        ~ "'::regclass and c.relname ~ '_[0-9]{4}_[0-9]{2}$'") -%}
    {{ return("(timestamp '" ~ found.columns[0].values()[0] ~ "' at time zone 'UTC')") }}
{% endmacro %}

{# After a run: events that retention took out of the log go, too. Whole months are dropped; what lies in no month is
   deleted by the row. #}
{% macro forget_dropped(relation) %}
    delete from {{ relation }} t
     where t.event_id is not null and t.known_at < {{ oldest_month() }}
       and not exists (select from {{ source('carillon', 'contact_events') }} e
                        where e.id = t.event_id and e.recorded_at = t.known_at)
{% endmacro %}

{# After a run: periods of which retention left no event; the last one that was told of them is older than the log. #}
{% macro forget_idle(relation) %}
    delete from {{ relation }} t
     where t.known_at < {{ oldest_month() }}
       and not exists (select from {{ ref('stg_events') }} e
                        where e.contact_id = t.contact_id
                          and e.occurred_at >= t.period::timestamp at time zone 'UTC'
                          and e.occurred_at < (t.period + ('1 ' || t.unit)::interval) at time zone 'UTC'
                          and (e.source <> 'own' or (e.type in ('email_opened', 'email_clicked') and not e.is_machine)))
{% endmacro %}

{# After a run: rows of conversions that are gone. They were made of events that retention dropped: those had happened
   before the log begins, or within the day that a producer's clock may be ahead. #}
{% macro forget_conversions(relation) %}
    delete from {{ relation }} gone
     where gone.converted_at < {{ oldest_month() }} + interval '1 day'
       and not exists (select from {{ ref('stg_conversions') }} c
                        where c.conversion_id = gone.conversion_id and c.contact_id = gone.contact_id)
{% endmacro %}

{# A table that was made as a whole is new to PostgreSQL; of one that grew it takes notice by itself. #}
{% macro take_stock(relation) %}
    {%- if not is_incremental() -%}analyze {{ relation }}{%- endif -%}
{% endmacro %}

{# After everything: who moved and who was erased is known in the platform. #}
{% macro empty_lists() %}
    {%- if execute -%}
    {%- set list = adapter.get_relation(target.database, generate_schema_name('staging', none), 'stg_moved') -%}
    {%- if list is not none -%}truncate {{ list }}{%- endif -%}
    {%- endif -%}
{% endmacro %}

{# How a table is kept whose rows are events: `event_id`, `contact_id`, `occurred_at`, `known_at` and `built_at` are
   among its columns. The log's rows come in the order of the last two. #}
{% macro follow_events(unique_key='event_id') %}
    {{ config(
        materialized='incremental', incremental_strategy='delete+insert', unique_key=unique_key,
        indexes=[{'columns': [unique_key], 'unique': true}, {'columns': ['contact_id', 'occurred_at']},
                 {'columns': ['known_at'], 'type': 'brin'}, {'columns': ['built_at'], 'type': 'brin'}],
        pre_hook="{{ forget_moved(this) }}",
        post_hook=["{{ forget_erased(this) }}", "{{ forget_dropped(this) }}", "{{ take_stock(this) }}"]) }}
    -- depends_on: {{ ref('stg_moved') }}
{% endmacro %}
