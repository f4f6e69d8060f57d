/*---
kind: source
doc: Sales of shops, in the currency of the shop.
key: sale_id
event_time: sold_at
---*/
CREATE TABLE ods.sale (
  sale_id String,
  sold_at DateTime64(3, 'UTC'),
  region LowCardinality(String),
  product String,
  quantity Int32 COMMENT 'pieces; negative for what was brought back',
  price Decimal(18, 2) COMMENT 'of one piece',
  rate Decimal(38, 4) COMMENT 'what one unit of the currency was worth in euros'
)
