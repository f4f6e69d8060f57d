/*---
kind: model
doc: What each product brought in each day (UTC).
columns:
  average_sale: revenue of one sale, cut after four digits
---*/
SELECT
  product,
  toDate(sold_at) AS day,
  count() AS sales,
  sum(quantity) AS pieces,
  sum(revenue) AS total_revenue,
  sum(euros) AS total_euros,
  min(price) AS cheapest,
  max(price) AS dearest,
  divideDecimal(sum(revenue), CAST(count() AS Decimal(38, 0)), 4) AS average_sale
FROM dwf.sale
GROUP BY product, day
