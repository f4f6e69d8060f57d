/*---
kind: model
doc: Sales with what they brought in, in the shop's currency and in euros.
lookup: [sale_id]
---*/
SELECT
  sale_id,
  sold_at,
  region,
  product,
  quantity,
  price,
  rate,
  CAST(price AS Decimal(38, 2)) * quantity AS revenue,
  CAST(price AS Decimal(38, 2)) * quantity * rate AS euros
FROM ods.sale
