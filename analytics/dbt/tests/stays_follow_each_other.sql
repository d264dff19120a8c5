-- Nobody leaves a stage before they came into it, and nobody is in two stages at once. All stays of a contact are built
-- together: what earlier runs made, they tested.
select contact_id from {{ ref('stg_stages') }} where left_at < entered_at and built_at > {{ built_since() }}
union all
select contact_id from {{ ref('stg_stages') }} where next_stage is null and built_at > {{ built_since() }}
 group by contact_id having count(*) > 1
