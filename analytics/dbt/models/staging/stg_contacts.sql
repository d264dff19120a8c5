-- Living contacts: no names or addresses, only what numbers are made of. Incremental: whatever is written to a contact
-- says when. Read after the events, so that nobody is missing whose events are there.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='contact_id',
    indexes=[{'columns': ['contact_id'], 'unique': true}, {'columns': ['built_at'], 'type': 'brin'}],
    post_hook=["delete from {{ this }} t using {{ ref('stg_moved') }} m join {{ source('carillon', 'contacts') }} c
                    on c.id = m.contact_id
                 where t.contact_id = m.contact_id and (c.merged_into_id is not null or c.erased_at is not null)",
               "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}, {{ ref('stg_events') }}
{% set said %}
select id as contact_id,
       created_at,
       nullif(region, '') as region,
       nullif(locale, '') as locale,
       attributes ->> 'lead_source' as lead_source
  from {{ source('carillon', 'contacts') }}
 where merged_into_id is null and erased_at is null
{% if is_incremental() %}
   and updated_at >= {{ since() }}
{% endif %}
{% endset %}
{{ news(said, 'contact_id', ['contact_id', 'created_at', 'region', 'locale', 'lead_source']) }}
