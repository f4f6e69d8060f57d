/*---
kind: source
doc: Flights as they leave, with their delay on arrival.
topic: flight
partitions: 4
key: flight_id
event_time: departed_at
unknown: reject
---*/
CREATE TABLE ods.flight (
  flight_id String COMMENT 'loop and number: unique for every departure',
  departed_at DateTime64(3, 'UTC') COMMENT 'scheduled departure',
  origin LowCardinality(String) COMMENT 'IATA code of the airport',
  destination LowCardinality(String) COMMENT 'IATA code of the airport',
  distance UInt32 COMMENT 'miles',
  delay Int32 COMMENT 'minutes late on arrival, negative is early'
)
