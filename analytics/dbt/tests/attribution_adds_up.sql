-- In each of the five models the weights of a conversion add up to 1, and its amounts to its revenue. What earlier runs
-- made, they tested.
with sums as (
    select conversion_id, model, sum(weight) as weight, sum(amount) as amount
      from {{ ref('attribution') }}
     where built_at = (select max(built_at) from {{ ref('attribution') }})
     group by conversion_id, model
)
select s.conversion_id
  from sums s
  left join {{ ref('stg_conversions') }} c on c.conversion_id = s.conversion_id
 group by s.conversion_id
having count(*) <> 5 or bool_or(s.weight <> 1) or bool_or(s.amount is distinct from c.amount)
