{# Words of the installation's settings, as SQL literals. #}
{% macro quoted(word) %}{{ return("'" ~ (word | string | replace("'", "''")) ~ "'") }}{% endmacro %}

{% macro quoted_list(words) %}
    {%- set literals = [] -%}
    {%- for word in words -%}{%- do literals.append(quoted(word)) -%}{%- endfor -%}
    {{ return(literals | join(', ') or 'null') }}
{% endmacro %}
