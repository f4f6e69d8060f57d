/*---
# yaml-language-server: $schema=../schemas/api.json
kind: api
doc: Sales of the newest days, today's among them.
params:
  days: { default: 7, min: 1, max: 366 }
---*/
SELECT d.day AS day, sum(d.orders) AS orders, sum(d.revenue) AS revenue
FROM dwa.sales_day AS d
WHERE d.day > today() - {days:UInt32}
GROUP BY day
ORDER BY day DESC
