-- Every stay in a stage, as our log of the lifecycle and events of other systems tell it: from the move to the next one
-- (null: still there). Who comes to a stage in which they are stays there. All stays of a contact are made anew as soon
-- as anything of theirs is told, or is gone.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='contact_id',
    indexes=[{'columns': ['contact_id']}, {'columns': ['stage']}, {'columns': ['stay_id'], 'unique': true},
             {'columns': ['built_at'], 'type': 'brin'}],
    pre_hook="{{ forget_moved(this) }}",
    post_hook=["{{ forget_erased(this) }}",
               "delete from {{ this }} t
                 where source = 'event' and known_at < {{ oldest_month() }}
                   and not exists (select from {{ ref('stg_stage_events') }} e where 'event:' || e.event_id = t.stay_id)",
               "{{ take_stock(this) }}"]) }}
-- depends_on: {{ ref('stg_moved') }}
with
{% if is_incremental() %}
told as materialized (
    -- of moves those that are not there yet; who was moved to the stage in which they were is asked for again
    select contact_id from {{ source('carillon', 'lifecycle_events') }} l
     where occurred_at >= {{ since() }} and not exists (select from {{ this }} t where t.stay_id = 'move:' || l.id)
    union
    {{ whose_rows_are_new('stg_stage_events') }}
    union
    {{ who_entered_anew() }}
    union
    {{ moved_contacts() }}
    union
    select contact_id from {{ this }} t
     where source = 'event' and known_at < {{ oldest_month() }}
       and not exists (select from {{ ref('stg_stage_events') }} e where 'event:' || e.event_id = t.stay_id)
),
{% endif %}
moves as (
    select 'move:' || id as stay_id, contact_id, to_stage as stage, source, occurred_at, occurred_at as known_at,
           id as sequence
      from {{ source('carillon', 'lifecycle_events') }} l
     where not exists (select from {{ source('carillon', 'contacts') }} c
                        where c.id = l.contact_id and c.erased_at is not null)
    {% if is_incremental() %} and contact_id in (select contact_id from told) {% endif %}
    union all
    select 'event:' || event_id, contact_id, stage, 'event', occurred_at, known_at, event_id
      from {{ ref('stg_stage_events') }}
    {% if is_incremental() %} where contact_id in (select contact_id from told) {% endif %}
),
followed as (
    select *, lag(stage) over (partition by contact_id order by occurred_at, known_at, sequence) as from_stage from moves
),
stays as (
    select *,
           lead(occurred_at) over later as left_at,
           lead(stage) over later as next_stage,
           row_number() over (partition by contact_id, stage order by occurred_at, known_at, sequence) = 1 as is_first,
           array_position(array['subscriber', 'lead', 'mql', 'sql', 'opportunity', 'customer'], stage) as place
      from followed
     where stage is distinct from from_stage
    window later as (partition by contact_id order by occurred_at, known_at, sequence)
),
first_entries as (
    select distinct on (contact_id) contact_id, workflow, entered_at
      from {{ ref('stg_enrolments') }}
    {% if is_incremental() %} where contact_id in (select contact_id from told) {% endif %}
     order by contact_id, entered_at, enrolment_id
)
select s.stay_id,
       s.contact_id,
       s.from_stage,
       s.stage,
       s.source,
       s.known_at,
       s.occurred_at as entered_at,
       s.left_at,
       s.next_stage,
       s.is_first,
       s.is_first and coalesce(max(s.place) filter (where s.is_first) over onwards > s.place, false) as went_on,
       f.workflow as entry_workflow,
       now() as built_at
  from stays s
  left join first_entries f on f.contact_id = s.contact_id and f.entered_at <= s.occurred_at
window onwards as (
    partition by s.contact_id order by s.occurred_at range between current row and unbounded following
)
