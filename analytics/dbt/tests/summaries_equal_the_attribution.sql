-- The summaries by touch and by workflow, and the revenue, come to the same sums in each currency.
with sums (mart, model, kind, currency, conversions, amount) as (
    select 'attribution', model, kind, currency, sum(weight), sum(amount)
      from {{ ref('attribution') }} group by model, kind, currency
    union all
    select 'attribution_by_touch', model, kind, currency, sum(conversions), sum(amount)
      from {{ ref('attribution_by_touch') }} group by model, kind, currency
    union all
    select 'attribution_by_workflow', model, kind, currency, sum(conversions), sum(amount)
      from {{ ref('attribution_by_workflow') }} group by model, kind, currency
)
select model, kind, currency
  from sums
 group by model, kind, currency
having count(*) <> 3 or min(conversions) <> max(conversions) or min(amount) <> max(amount)
