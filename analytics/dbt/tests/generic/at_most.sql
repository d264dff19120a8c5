{# No row says more in this column than in that one. #}
{% test at_most(model, column_name, other) %}
select {{ column_name }}, {{ other }} from {{ model }} where {{ column_name }} > {{ other }}
{% endtest %}
