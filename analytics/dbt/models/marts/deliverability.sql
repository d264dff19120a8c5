-- Day by day, domain by domain: what was decided about messages, and what came back. Everything counts on the day on
-- which it happened, once a message; the counts are the post office's own, which are reconciled with the facts.
select day,
       channel,
       message_class,
       provider,
       sending_domain,
       mailbox_provider,
       coalesce(sum(n) filter (where what in
           ('accepted', 'rejected', 'undetermined', 'suppressed', 'capped', 'cancelled')), 0)::bigint as messages,
       {% for name, whats in {
           'accepted': ['accepted'], 'rejected': ['rejected'], 'suppressed': ['suppressed'], 'capped': ['capped'],
           'delivered': ['delivered'], 'opened': ['opened'], 'clicked': ['clicked'],
           'machine_opened': ['machine_opened'], 'hard_bounced': ['hard_bounce'], 'soft_bounced': ['soft_bounce'],
           'bounced': ['hard_bounce', 'soft_bounce'], 'complained': ['complained'], 'unsubscribed': ['unsubscribed']
       }.items() %}
       coalesce(sum(n) filter (where what in ({{ quoted_list(whats) }})), 0)::bigint as {{ name }}{{ "," if not loop.last }}
       {% endfor %}
  from {{ ref('stg_tallies') }}
 group by 1, 2, 3, 4, 5, 6
