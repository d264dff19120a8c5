-- How many contacts of a cohort did something in a period: one pass over the biggest table of all for both marts.
{{ config(materialized='table') }}
select unit, cohort, period, count(*) as contacts from {{ ref('stg_activity') }} group by unit, cohort, period
