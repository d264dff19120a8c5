-- And not longer before it than the look-back window.
select conversion_id, touch_id, touched_at, converted_at
  from {{ ref('attribution') }}
 where touched_at > converted_at
    or touched_at <= converted_at - interval '{{ var("attribution_days") }} days'
    or (touched_at is null) <> (touch_type = 'direct' and touch_id = 'direct')
