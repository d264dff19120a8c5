-- Every message with what became of it. Opens and clicks are those of people. Of somebody who was erased the message
-- still counts; whose it was is not said.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='message_id',
    indexes=[{'columns': ['message_id'], 'unique': true}, {'columns': ['contact_id']}, {'columns': ['created_at']},
             {'columns': ['changed_at']}, {'columns': ['built_at'], 'type': 'brin'}],
    post_hook=["update {{ this }} t set contact_id = null, built_at = now() from {{ ref('stg_moved') }} m
                 where m.contact_id = t.contact_id and m.erased", "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
{% set since = since() %}
{% set said %}
with changed as (
    {% if is_incremental() %}
    select id as message_id from {{ source('carillon', 'messages') }} where created_at >= {{ since }}
    union
    select message_id from {{ source('carillon', 'contact_send_log') }} where at >= {{ since }}
    union
    select message_id from {{ source('carillon', 'message_feedback') }}
     where recorded_at >= {{ since }} and message_id is not null
    union
    select id from {{ source('carillon', 'messages') }}
     where contact_id in {{ moved_contacts() }}
    {% else %}
    select id as message_id from {{ source('carillon', 'messages') }}
    {% endif %}
),
log as (
    select message_id,
           min(at) filter (where kind = 'accepted') as accepted_at,
           (array_agg(kind order by id desc) filter (where kind in
               ('accepted', 'rejected', 'undetermined', 'suppressed', 'capped', 'cancelled', 'in_doubt')))[1] as outcome,
           (array_agg(reason order by id desc) filter (where kind in
               ('rejected', 'suppressed', 'capped', 'cancelled')))[1] as reason,
           max(provider) filter (where kind = 'accepted') as provider,
           max(at) as changed_at
      from {{ source('carillon', 'contact_send_log') }}
     {% if is_incremental() %}where message_id in (select message_id from changed){% endif %}
     group by message_id
),
feedback as (
    select message_id,
           min(occurred_at) filter (where kind = 'delivered') as delivered_at,
           min(occurred_at) filter (where kind = 'opened' and not is_machine) as opened_at,
           min(occurred_at) filter (where kind = 'clicked' and not is_machine) as clicked_at,
           min(occurred_at) filter (where kind in ('hard_bounce', 'soft_bounce')) as bounced_at,
           min(occurred_at) filter (where kind = 'complained') as complained_at,
           min(occurred_at) filter (where kind = 'unsubscribed') as unsubscribed_at,
           max(recorded_at) as changed_at
      from {{ source('carillon', 'message_feedback') }}
     where message_id is not null
     {% if is_incremental() %}and message_id in (select message_id from changed){% endif %}
     group by message_id
)
select m.id as message_id,
       case when c.erased_at is null then m.contact_id end as contact_id,
       m.channel,
       m.message_class,
       w.slug as workflow,
       nullif(m.step, '') as step,
       m.enrolment_id,
       t.slug as template,
       m.created_at,
       coalesce(log.outcome, 'queued') as outcome,
       nullif(log.reason, '') as reason,
       log.provider,
       log.accepted_at,
       feedback.delivered_at,
       feedback.opened_at,
       feedback.clicked_at,
       feedback.bounced_at,
       feedback.complained_at,
       feedback.unsubscribed_at,
       greatest(m.created_at, log.changed_at, feedback.changed_at) as changed_at
  from changed
  join {{ source('carillon', 'messages') }} m on m.id = changed.message_id
  left join {{ source('carillon', 'contacts') }} c on c.id = m.contact_id
  left join log on log.message_id = m.id
  left join feedback on feedback.message_id = m.id
  left join {{ source('carillon', 'workflows') }} w on w.id = m.workflow_id
  left join {{ source('carillon', 'template_versions') }} v on v.id = m.template_version_id
  left join {{ source('carillon', 'templates') }} t on t.id = v.template_id
{% endset %}
{{ news(said, 'message_id',
        ['message_id', 'contact_id', 'channel', 'message_class', 'workflow', 'step', 'enrolment_id', 'template',
         'created_at', 'outcome', 'reason', 'provider', 'accepted_at', 'delivered_at', 'opened_at', 'clicked_at',
         'bounced_at', 'complained_at', 'unsubscribed_at', 'changed_at']) }}
