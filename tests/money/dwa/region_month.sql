/*---
kind: model
doc: What each region brought in each month (UTC).
columns:
  refunded: revenue of sales with a negative quantity
---*/
SELECT
  region,
  toStartOfMonth(sold_at) AS month,
  count() AS sales,
  countIf(quantity < 0) AS returns,
  sum(quantity) AS pieces,
  sum(quantity) / count() AS average_pieces,
  sum(revenue) AS total_revenue,
  sumIf(revenue, quantity < 0) AS refunded,
  sum(euros) AS total_euros,
  uniqExact(product) AS products
FROM dwf.sale
GROUP BY region, month
