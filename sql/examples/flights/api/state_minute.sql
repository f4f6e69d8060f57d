/*---
kind: api
doc: Departures and delays per minute of one state, the newest first.
params:
  state: { default: CA }
  limit: { default: 60, min: 1, max: 1440 }
---*/
SELECT minute, flights, late, average_delay
FROM dwa.state_minute
WHERE state = {state:String}
ORDER BY minute DESC
LIMIT {limit:UInt32}
