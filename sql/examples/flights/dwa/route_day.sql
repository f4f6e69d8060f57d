/*---
kind: model
doc: Flights of each route by the day (UTC), with their delays in minutes.
columns:
  late: flights more than 15 minutes late
  late_share: of all flights, 0 to 1
---*/
SELECT
  route,
  toDate(departed_at) AS day,
  count() AS flights,
  countIf(delay > 15) AS late,
  countIf(delay > 15) / count() AS late_share,
  sum(delay) / count() AS average_delay,
  max(delay) AS longest_delay,
  min(delay) AS shortest_delay,
  sum(distance) AS miles,
  sum(block_minutes) AS block_minutes
FROM dwf.flight
GROUP BY route, day
