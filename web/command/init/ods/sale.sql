/*---
# yaml-language-server: $schema=../schemas/source.json
kind: source
doc: What was sold.
key: order_id            # equal keys stay in order
event_time: sold_at      # when it happened
---*/
CREATE TABLE ods.sale (
  order_id String,
  sold_at DateTime64(3, 'UTC'),
  product LowCardinality(String),
  price Decimal(12, 2) COMMENT 'of one',
  quantity UInt16
)
