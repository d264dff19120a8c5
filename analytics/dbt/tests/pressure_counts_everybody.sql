-- Every contact with a marketing message in a week is counted once in it. Of older weeks that was tested while they were
-- young.
select said.contacts, counted.contacts
  from (select coalesce(sum(contacts), 0) as contacts from {{ ref('pressure') }} where week > now() - interval '70 days') said
 cross join (select count(distinct (contact_id, week)) as contacts
               from (select contact_id, date_trunc('week', created_at at time zone 'UTC')::date as week
                       from {{ ref('stg_messages') }}
                      where message_class = 'marketing' and contact_id is not null
                        and created_at > now() - interval '80 days') as weeks
              where week > now() - interval '70 days') counted
 where said.contacts <> counted.contacts
