{#
How incremental models keep up with facts that were recorded late, with merges and with erasure, so that they are at
every time what a full refresh would make of the same facts, at the price of what is new:

    facts are looked for by the time at which they were recorded, never by that at which they happened;
    of what is found only that is written which is new or different, and `built_at` says when;
    a model behind others makes anew what hangs on rows of theirs that were built since the last good run was over;
    whoever was merged, or parted again, is read anew as a whole (`stg_moved`);
    whoever was erased is taken out.
#}

{# From when on facts are read once more: some days before the last run that went well began. #}
{% macro since() %}
    {{- return(moment_of_runs("max(started_at) - interval '" ~ var('late_days') ~ " days'")) -}}
{% endmacro %}

{# When the last good run was over. What a run wrote since then, also one that failed, was built later than that. #}
{% macro built_since() %}
    {{- return(moment_of_runs("max(finished_at)")) -}}
{% endmacro %}

{% macro moment_of_runs(moment) %}
    {%- if not execute -%}{{ return("timestamptz '-infinity'") }}{%- endif -%}
    {%- set found = run_query(
        "select coalesce(" ~ moment ~ ", '-infinity') at time zone 'UTC' from "
        ~ source('carillon', 'warehouse_runs') ~ " where state = 'finished'") -%}
    {{ return("timestamptz '" ~ found.columns[0].values()[0] ~ " UTC'") }}
{% endmacro %}

{# Contacts whose facts changed hands. #}
{% macro moved_contacts() %} (select contact_id from {{ ref('stg_moved') }} where not erased) {% endmacro %}

{# Contacts of whose rows in this staging table some were built since the last good run. #}
{% macro whose_rows_are_new(model) %} select contact_id from {{ ref(model) }} where built_at > {{ built_since() }} {% endmacro %}

{# Contacts who entered a workflow of whom that was not known at the last good run. #}
{% macro who_entered_anew() %}
    {{- whose_rows_are_new('stg_enrolments') }} and entered_at >= {{ since() -}}
{% endmacro %}

{# What `said` says (a query with these columns): all of it, or in an incremental run what does not stand here yet, or
   differs. `within`: where in this table (`t`) what stands there would be. #}
{% macro news(said, key, columns, within='true') %}
    select s.*, now() as built_at
      from ({{ said }}) as s
    {% if is_incremental() %}
      left join {{ this }} t on t.{{ key }} = s.{{ key }} and {{ within }}
     where (s.{{ columns | join(', s.') }}) is distinct from (t.{{ columns | join(', t.') }})
    {% endif %}
{% endmacro %}

{# The columns of the events (as `e`) of the log that meet the condition: all of them, or in an incremental run those
   that were recorded lately and those of contacts that were merged. Nothing of people who were erased. #}
{% macro from_log(columns, condition='true') %}
    {%- set since = since() -%}
    {%- set events = source('carillon', 'contact_events') -%}
    {%- set standing -%}
        e.processed and {{ condition }}
        and not exists (select from {{ source('carillon', 'contacts') }} c
                         where c.id = e.contact_id and c.erased_at is not null)
    {%- endset -%}
    {%- if is_incremental() -%}
    select {{ columns }} from {{ events }} e where e.recorded_at >= {{ since }} and {{ standing }}
    union all
    select {{ columns }} from {{ events }} e
     where e.recorded_at < {{ since }} and e.contact_id in {{ moved_contacts() }} and {{ standing }}
    {%- else -%}
    select {{ columns }} from {{ events }} e where {{ standing }}
    {%- endif -%}
{% endmacro %}

{# The columns of the events (as `e`) of these types, with what was said in them: all, or in an incremental run those
   that are new in `stg_events`. Whose they are stands there. #}
{% macro from_events(columns, types) %}
    {%- if is_incremental() -%}
    select n.contact_id, {{ columns }}
      from {{ ref('stg_events') }} n
      join {{ source('carillon', 'contact_events') }} e on e.id = n.event_id and e.recorded_at = n.known_at
     where n.built_at > {{ built_since() }} and n.type in ({{ quoted_list(types) }})
    {%- else -%}
    {{ from_log("e.contact_id, " ~ columns, "e.type in (" ~ quoted_list(types) ~ ")") }}
    {%- endif -%}
{% endmacro %}
