-- Weir's own tables. A line that begins with two dashes is a comment; statements end with a semicolon.

-- The catalog: every version of every definition, with who applied it and when. The newest row of a name says what is in force:
-- building (its rows are being backfilled beside what it replaces), active, suspended (its view failed), removed.
CREATE TABLE IF NOT EXISTS weir.definition
(
  catalog UInt32 COMMENT 'version of the whole catalog, one more with every apply',
  kind LowCardinality(String),
  layer LowCardinality(String),
  name String,
  version UInt32 COMMENT 'number of the physical table behind the view',
  file String,
  text String COMMENT 'the definition as written',
  author String,
  applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
  state LowCardinality(String) DEFAULT 'active',
  note String COMMENT 'why it is in this state',
  digest String COMMENT 'sha256 of the data that came with the definition, if any'
)
ENGINE = MergeTree ORDER BY (kind, layer, name, catalog)
SETTINGS non_replicated_deduplication_window = {window};

ALTER TABLE weir.definition ADD COLUMN IF NOT EXISTS state LowCardinality(String) DEFAULT 'active';
ALTER TABLE weir.definition ADD COLUMN IF NOT EXISTS note String;
ALTER TABLE weir.definition ADD COLUMN IF NOT EXISTS digest String;

-- Chunks of backfills that are done: what is not here is repeated, with the same token.
CREATE TABLE IF NOT EXISTS weir.backfill
(
  layer LowCardinality(String),
  name String,
  version UInt32,
  chunk UInt32,
  chunks UInt32 COMMENT 'of how many',
  rows UInt64 COMMENT 'rows read from the snapshot',
  finished_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree ORDER BY (layer, name, version, chunk)
SETTINGS non_replicated_deduplication_window = {window};

-- One row per finished batch, written after its rows and before its commit.
CREATE TABLE IF NOT EXISTS weir.batch
(
  statement LowCardinality(String) COMMENT 'target, for example ods.flight',
  token String,
  epoch UInt32,
  catalog UInt32,
  ranges Array(Tuple(partition UInt32, from UInt64, to UInt64, last_offset UInt64, last_ms Int64, last_crc UInt32)),
  stored UInt64,
  duplicate UInt64,
  quarantined UInt64,
  landed_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree PARTITION BY toYYYYMM(landed_at) ORDER BY (statement, landed_at)
TTL toDateTime(landed_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = {window}, ttl_only_drop_parts = 1;

-- Who the stored records were, where their source or their request can send them again: written after the rows of a batch, before its
-- marker. By day of the log's time, which look-ups ask for; 32 parts in an insert at most, whatever times a producer writes. Small
-- granules, because a look-up asks for single identities: 1,000 of them among 5 million take some 50 ms.
CREATE TABLE IF NOT EXISTS weir.seen
(
  statement LowCardinality(String) COMMENT 'target, for example ods.flight',
  epoch UInt32,
  partition UInt32,
  identity FixedString(16) COMMENT 'half a SHA-256 of column, partition and value, or of Idempotency-Key, partition and index' CODEC(NONE),
  fingerprint FixedString(16) COMMENT 'of the request that came with the Idempotency-Key, zeros for a value',
  offset Int64 COMMENT '-1: stored before it had to be remembered',
  at Int64 COMMENT 'the time of its record in the log, milliseconds since 1970',
  forget_at DateTime COMMENT 'when the log can no longer hand out a record that it would make a duplicate'
)
ENGINE = MergeTree PARTITION BY positiveModulo(intDiv(at, 86400000), 32) ORDER BY (statement, identity, offset)
TTL forget_at
SETTINGS non_replicated_deduplication_window = {window}, index_granularity = 256, min_compress_block_size = 4096, max_compress_block_size = 4096;

-- How far each partition has landed; never decreases, outlives the log's own offsets. An epoch in which nothing has landed yet has
-- last_offset = next, and last_crc says which topic of that name it is of.
CREATE TABLE IF NOT EXISTS weir.position
(
  statement LowCardinality(String),
  partition UInt32,
  at SimpleAggregateFunction(max, Tuple(epoch UInt32, next UInt64, last_offset UInt64, last_ms Int64, last_crc UInt32))
)
ENGINE = AggregatingMergeTree ORDER BY (statement, partition)
SETTINGS non_replicated_deduplication_window = {window};

-- It was filled by a view behind weir.batch once; two inserts take 6 ms together, one with the view behind it took 8.
DROP VIEW IF EXISTS weir.position_from_batch;

-- Records that the log no longer had when they were to land: [from, to), where `to` is the first offset that was there. A row when a
-- partition stopped at them, another when somebody accepted them as lost: that one is the partition's position from then on.
CREATE TABLE IF NOT EXISTS weir.gap
(
  statement LowCardinality(String) COMMENT 'target, for example ods.flight',
  topic String,
  partition UInt32,
  epoch UInt32,
  `from` UInt64,
  `to` UInt64,
  event LowCardinality(String) COMMENT 'seen or accepted',
  position Tuple(epoch UInt32, next UInt64, last_offset UInt64, last_ms Int64, last_crc UInt32)
    COMMENT 'behind the gap, with last_offset = next where no last record is known',
  author String COMMENT 'accepted: name of the token that did it',
  at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree ORDER BY (statement, partition, epoch, `from`)
SETTINGS non_replicated_deduplication_window = {window};

-- Where a source's table begins that was made anew by a reset of its positions: one row for each partition, all in one insert, before
-- the catalog row of that version. It counts once the catalog has it, so both come into force at once.
CREATE TABLE IF NOT EXISTS weir.reset
(
  statement LowCardinality(String) COMMENT 'target, for example ods.flight',
  version UInt32 COMMENT 'number of the physical table, never used again if the reset failed',
  partition UInt32,
  position Tuple(epoch UInt32, next UInt64, last_offset UInt64, last_ms Int64, last_crc UInt32),
  author String COMMENT 'name of the token that did it',
  at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree ORDER BY (statement, version, partition)
SETTINGS non_replicated_deduplication_window = {window};

-- What a schema registry said of the ids in front of records, kept before anything is decoded with it. The first row of an id and slot is
-- what counts, for ever, whatever the registry says later: a batch that is repeated must become the same rows.
CREATE TABLE IF NOT EXISTS weir.schema
(
  id UInt32,
  slot Int64 COMMENT '0: the first answer. Where that was no schema: the minute of the records that it is about, since 1970, or -1 for those that wait until there is one',
  verdict LowCardinality(String) COMMENT 'schema, unknown (the registry has no such id) or refused (it cannot be used)',
  text String COMMENT 'the schema' CODEC(ZSTD),
  refers_to Array(String) COMMENT 'the texts that it refers to, each behind those that it refers to itself' CODEC(ZSTD),
  reason String COMMENT 'why there is no schema',
  asked_for LowCardinality(String) COMMENT 'the source whose record asked first, for example ods.flight',
  at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree ORDER BY (id, slot)
SETTINGS non_replicated_deduplication_window = {window};

-- Events that could not be stored, with the reason; from the log (offset >= 0) or refused at the door (offset -1).
CREATE TABLE IF NOT EXISTS weir.quarantine
(
  source LowCardinality(String),
  topic LowCardinality(String),
  epoch UInt32,
  partition Int32,
  offset Int64,
  column String COMMENT 'empty when the whole event is at fault',
  reason String,
  raw String COMMENT 'the event as it came',
  raw_bytes UInt64 COMMENT 'its whole length: raw is cut at 1 MiB, at the door at 64 KiB',
  event_at DateTime64(3, 'UTC') COMMENT 'when the log or the door took it',
  quarantined_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree PARTITION BY toYYYYMM(quarantined_at) ORDER BY (source, quarantined_at, partition, offset)
TTL toDateTime(quarantined_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = {window};

-- Rows have a name: the record's place in the log (flight.1.0.5 is source, epoch, partition, offset), a random one if the door refused
-- the event. Rows that are older than the column get theirs when they are read.
ALTER TABLE weir.quarantine ADD COLUMN IF NOT EXISTS id String DEFAULT
  if(offset >= 0, concat(source, '.', toString(epoch), '.', toString(partition), '.', toString(offset)),
     concat(source, '.door.', lower(hex(sipHash64(event_at, column, reason, raw)))));

-- What people did with rows of the quarantine. Rows are only added, and outlive those that they speak of.
CREATE TABLE IF NOT EXISTS weir.quarantine_action
(
  id String COMMENT 'of the row in weir.quarantine',
  action LowCardinality(String) COMMENT 'announced (its replay was begun), replayed (it is in the log again) or dropped',
  topic LowCardinality(String) COMMENT 'id of the topic, new whenever it is created anew',
  partition Int32,
  offset Int64 COMMENT 'replayed: its new place, announced: its new place is not before this one',
  author String COMMENT 'name of the token that did it',
  at DateTime64(3, 'UTC')
)
ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY (id, at)
TTL toDateTime(at) + INTERVAL 120 DAY
SETTINGS non_replicated_deduplication_window = {window};

-- Tokens of the door: a row when one is created, another when it is revoked. Rows are only added. What is kept of a token is its
-- sha256: 256 random bits need no slower hash.
CREATE TABLE IF NOT EXISTS weir.token
(
  id String,
  event LowCardinality(String) COMMENT 'created or revoked',
  hash String COMMENT 'sha256 of the token, hex, empty in the row of a revocation',
  name String,
  scopes Array(String),
  origins Array(String) COMMENT 'of web pages that may use it',
  fixed_params String COMMENT 'JSON object: values of parameters that it always has, as arrays of texts',
  expires_at Nullable(DateTime64(3, 'UTC')),
  author String COMMENT 'name of the token that did it',
  at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree ORDER BY (id, event)
SETTINGS non_replicated_deduplication_window = {window};
