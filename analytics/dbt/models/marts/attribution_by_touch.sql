-- The sums of the attribution, by month (UTC) of the conversion, model, kind, currency, touch type and workflow. All
-- but conversions_touched may be added up, within one currency.
{{ attribution_by(['model', 'kind', 'currency', 'touch_type', 'workflow']) }}
