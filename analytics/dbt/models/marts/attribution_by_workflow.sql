-- What workflows brought in, by month (UTC) of the conversion, model, kind and currency. A null workflow is whatever
-- came about without one, conversions without a touch included.
{{ attribution_by(['model', 'kind', 'currency', 'workflow']) }}
