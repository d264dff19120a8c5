{# What a test is asked of. `where: __new__` stands for the rows that were built since the last good run: the ones before
   were tested by the run that built them, and all are new in a full refresh. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- if not where -%}{{ return(relation) }}{%- endif -%}
    {%- if where == '__new__' -%}{%- set where = 'built_at > ' ~ built_since() -%}{%- endif -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ where ~ ') asked') }}
{%- endmacro %}
