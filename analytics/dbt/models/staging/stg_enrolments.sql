-- Everybody who entered a workflow, except who was erased. Incremental: who is still on the way is read again each time.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='enrolment_id',
    indexes=[{'columns': ['enrolment_id'], 'unique': true}, {'columns': ['contact_id', 'entered_at', 'enrolment_id']},
             {'columns': ['built_at'], 'type': 'brin'}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}", "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
{% set since = since() %}
{% set said %}
select e.id as enrolment_id,
       e.contact_id,
       w.slug as workflow,
       v.number as version,
       e.state,
       nullif(e.exit_reason, '') as exit_reason,
       e.entered_at,
       e.finished_at
  from {{ source('carillon', 'workflow_enrolments') }} e
  join {{ source('carillon', 'workflows') }} w on w.id = e.workflow_id
  join {{ source('carillon', 'workflow_versions') }} v on v.id = e.version_id
 where not exists (select from {{ source('carillon', 'contacts') }} c where c.id = e.contact_id and c.erased_at is not null)
{% if is_incremental() %}
   and (e.finished_at is null or e.finished_at >= {{ since }} or e.entered_at >= {{ since }}
        or e.contact_id in {{ moved_contacts() }})
{% endif %}
{% endset %}
{{ news(said, 'enrolment_id',
        ['enrolment_id', 'contact_id', 'workflow', 'version', 'state', 'exit_reason', 'entered_at', 'finished_at']) }}
