/*---
# yaml-language-server: $schema=../schemas/model.json
kind: model
doc: What was sold of each product on each day.
---*/
SELECT
  toDate(sold_at) AS day,
  product,
  count() AS orders,
  sum(price * quantity) AS revenue
FROM ods.sale
GROUP BY day, product
