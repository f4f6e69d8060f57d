/*---
kind: api
doc: One flight by its id, with both airports and what became of the schedule.
---*/
SELECT
  flight_id, departed_at, route,
  origin, origin_name, origin_state, destination, destination_name, destination_state,
  distance, block_minutes, delay, delay_class
FROM dwf.flight
WHERE flight_id = {flight_id:String}
LIMIT 1
