{# `staging` and `marts` are called so, whatever the profile's own schema is; a prefix parts test databases. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (env_var('WAREHOUSE_PREFIX', '') ~ (custom_schema_name or target.schema)) | trim }}
{%- endmacro %}
