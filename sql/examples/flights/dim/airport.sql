/*---
kind: dimension
doc: Airports of the United States and its territories, as vega-datasets has them.
key: iata
from: { package: vega-datasets/data/airports.csv }
---*/
CREATE TABLE dim.airport (
  iata String COMMENT 'code of three or four letters or digits',
  name String,
  city String COMMENT 'NA where none is known',
  state String COMMENT 'two letters; NA outside the United States',
  country String,
  latitude Float64 COMMENT 'degrees, north is positive',
  longitude Float64 COMMENT 'degrees, west is negative'
)
