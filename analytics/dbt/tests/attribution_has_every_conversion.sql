-- Whatever was told an hour before the run is there. (What is younger may have come between.)
select c.conversion_id
  from {{ ref('stg_conversions') }} c
 where c.known_at < '{{ run_started_at.isoformat() }}'::timestamptz - interval '1 hour'
   and not exists (select from {{ ref('attribution') }} a
                    where a.conversion_id = c.conversion_id and a.contact_id = c.contact_id and a.model = 'linear')
