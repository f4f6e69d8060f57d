/*---
kind: model
doc: Departures of each airport by the hour, with their delays in minutes.
columns:
  late: flights more than 15 minutes late
  early: flights before the schedule
  destinations: how many different airports they flew to
---*/
SELECT
  origin AS airport,
  toStartOfHour(departed_at) AS hour,
  count() AS flights,
  countIf(delay > 15) AS late,
  countIf(delay < 0) AS early,
  sum(delay) AS total_delay,
  sum(delay) / count() AS average_delay,
  max(delay) AS longest_delay,
  min(delay) AS shortest_delay,
  sum(distance) AS miles,
  uniqExact(destination) AS destinations
FROM dwf.flight
GROUP BY airport, hour
