/*---
kind: model
doc: Flights with both airports, the route and what became of the schedule. One row for each event.
lookup: [flight_id]
columns:
  route: both codes, origin first, for example ORD-LAX
  origin_name: empty where dim.airport does not know the code, as state; latitude and longitude are then 0
  delay: minutes late on arrival, negative is early
  delay_class: early, on time (up to 15 minutes late), late (up to 60), very late
  is_late: 1 when more than 15 minutes late
  is_early: 1 when before the schedule
  block_minutes: an estimate of the scheduled minutes from gate to gate, 30 and one for every full 8 miles
---*/
SELECT
  flight_id,
  departed_at,
  origin,
  dictGet('dim.airport', 'name', origin) AS origin_name,
  dictGet('dim.airport', 'state', origin) AS origin_state,
  dictGet('dim.airport', 'latitude', CAST(origin AS String)) AS origin_latitude,
  dictGet('dim.airport', 'longitude', CAST(origin AS String)) AS origin_longitude,
  destination,
  dictGet('dim.airport', 'name', destination) AS destination_name,
  dictGet('dim.airport', 'state', destination) AS destination_state,
  dictGet('dim.airport', 'latitude', CAST(destination AS String)) AS destination_latitude,
  dictGet('dim.airport', 'longitude', CAST(destination AS String)) AS destination_longitude,
  concat(origin, '-', destination) AS route,
  distance,
  delay,
  delay_class(delay) AS delay_class,
  toUInt8(delay > 15) AS is_late,
  toUInt8(delay < 0) AS is_early,
  toUInt32(30 + intDiv(distance, 8)) AS block_minutes
FROM ods.flight
