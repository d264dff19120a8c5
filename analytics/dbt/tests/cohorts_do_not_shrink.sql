-- Converted contacts add up over the months, and nobody converts or acts who is not in the cohort.
select cohort, months_later
  from (select cohort, months_later, contacts, active, converted,
               lag(converted) over (partition by cohort order by months_later) as before
          from {{ ref('cohorts') }}) as told
 where converted < before or converted > contacts or active > contacts
