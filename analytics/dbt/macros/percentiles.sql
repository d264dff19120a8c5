{# The spread of a number of days: four percentiles, the median and the mean. #}
{% macro percentiles(days, which='true') -%}
    {%- for name, share in [('p10', 0.1), ('p25', 0.25), ('median', 0.5), ('p75', 0.75), ('p90', 0.9)] -%}
    round((percentile_cont({{ share }}) within group (order by {{ days }}) filter (where {{ which }}))::numeric, 2) as {{ name }}_days,
       {% endfor -%}
    round((avg({{ days }}) filter (where {{ which }}))::numeric, 2) as mean_days
{%- endmacro %}
