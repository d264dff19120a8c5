-- Every stay that is over is in one of the ranges of its row.
select * from {{ ref('time_in_stage') }}
 where within_1_day + within_7_days + within_30_days + within_90_days + later <> stays - still_there
    or p10_days > p25_days or p25_days > median_days or median_days > p75_days or p75_days > p90_days
