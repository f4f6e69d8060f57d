/*---
kind: source
doc: Flights as they leave, with their delay on arrival.
topic: flight
partitions: 4
key: flight_id
event_time: departed_at
unknown: reject
# An endless demo at 50 events/s appends about 650 MB a day: the log keeps one day, and of a faster one
# at most 1 GiB in each partition (ten times the 3 million flights). The table keeps everything: 70 MB a day.
retention: { age: 1 day, size: 1 GiB }
---*/
CREATE TABLE ods.flight (
  flight_id String COMMENT 'loop and number: unique for every departure',
  departed_at DateTime64(3, 'UTC') COMMENT 'scheduled departure',
  origin LowCardinality(String) COMMENT 'IATA code of the airport',
  destination LowCardinality(String) COMMENT 'IATA code of the airport',
  distance UInt32 COMMENT 'miles',
  delay Int32 COMMENT 'minutes late on arrival, negative is early'
)
