-- What the post office counted, folded or not. Mailbox providers are known ones or `other`, never a person's own domain.
{{ config(materialized='ephemeral') }}
select day,
       channel,
       message_class,
       coalesce(nullif(provider, ''), 'none') as provider,
       coalesce(nullif(sending, ''), 'none') as sending_domain,
       coalesce(nullif(receiving, ''), 'none') as mailbox_provider,
       what,
       nullif(reason, '') as reason,
       n
  from {{ source('carillon', 'post_tallies') }}
