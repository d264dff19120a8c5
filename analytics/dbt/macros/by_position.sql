{# What the first so many touches have by the position model, of a path of `places`: 0.4 at either end, half of two. #}
{% macro by_position(so_many) -%}
    case when {{ so_many }} = 0 then 0
         when places <= 2 then ({{ so_many }})::float8 / places
         else 0.4 + 0.2 * ({{ so_many }} - 1)::float8 / (places - 2) end
{%- endmacro %}
