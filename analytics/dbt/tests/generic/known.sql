{# None of these columns is unknown in any row. #}
{% test known(model, columns) %}
select {{ columns | join(', ') }} from {{ model }} where {{ columns | join(' is null or ') }} is null
{% endtest %}
