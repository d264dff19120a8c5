{# The sums of the attribution by month (UTC) of the conversion and these columns. A month is summed up anew where a row
   of it was built since the last good run, or one is gone: the weights of each conversion add up to 1, so that the sums
   differ then. Summed by conversion first: to count what is distinct, all rows would be sorted. #}
{% macro attribution_by(columns) %}
{% set month %} date_trunc('month', converted_at at time zone 'UTC')::date {% endset %}
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='month',
    post_hook="delete from {{ this }} t
                where month not in (select " ~ month ~ " from {{ ref('attribution') }} where model = 'first')") }}
with
{% if is_incremental() %}
stands as (
    select month, sum(conversions) as conversions from {{ this }} group by month
),
told as materialized (
    select month
      from (select {{ month }} as month, sum(weight) as conversions, max(built_at) as built_at
              from {{ ref('attribution') }} group by 1) as now_is
      left join stands using (month)
     where built_at > {{ built_since() }} or now_is.conversions is distinct from stands.conversions
),
{% endif %}
each_conversion as (
    select {{ month }} as month, {{ columns | join(', ') }}, sum(weight) as weight, sum(amount) as amount
      from {{ ref('attribution') }}
    {% if is_incremental() %} where {{ month }} in (select month from told) {% endif %}
     group by conversion_id, 1, {{ columns | join(', ') }}
)
select month,
       {{ columns | join(',\n       ') }},
       count(*) as conversions_touched,
       sum(weight) as conversions,
       sum(amount) as amount
  from each_conversion
 group by month, {{ columns | join(', ') }}
{% endmacro %}
