-- Whose facts changed hands lately (who was merged, or parted again), and who was erased: looked up once, so that all
-- models of a run go by the same. It is empty when the run is over.
{{ config(materialized='table', post_hook="analyze {{ this }}") }}
{% set since = since() %}
select id as contact_id, true as erased
  from {{ source('carillon', 'contacts') }}
 where erased_at >= {{ since }}
union
select m.contact_id, false
  from {{ source('carillon', 'contact_merges') }} c
 cross join lateral (values (c.survivor_id), (c.absorbed_id)) as m(contact_id)
 where c.merged_at >= {{ since }} or c.undone_at >= {{ since }}
