{# These columns together name a row; what is not known counts as a value. #}
{% test one_row_each(model, columns) %}
select {{ columns | join(', ') }} from {{ model }} group by {{ columns | join(', ') }} having count(*) > 1
{% endtest %}
