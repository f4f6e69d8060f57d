/**
 * The planner against the real engine: whatever is inserted in whatever pieces, the finished view says what the
 * author's SELECT says over all rows, before and after the engine has merged.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AGGREGATES,
  createModelTable,
  createModelView,
  createRefreshView,
  createWeirTables,
  DefinitionError,
  type Model,
  type Readable,
  stateTable,
} from "@weir/sql";
import { type Engine, engine as startEngine } from "./conform_engine.ts";
import { Models } from "./model_engine.ts";

const COLUMNS = {
  id: "UInt64",
  t: "DateTime64(3, 'UTC')",
  d: "Date",
  s: "LowCardinality(String)",
  o: "Nullable(String)",
  k: "Int32",
  a: "Int64",
  u: "UInt64",
  z: "Int128",
  m: "Decimal(10, 2)",
  w: "Decimal(30, 4)",
  f: "Float64",
  n: "Nullable(Int64)",
  arr: "Array(Int32)",
  b: "Bool",
  e: "Enum8('x' = 1, 'y' = 2)",
  mp: "Map(String, UInt32)",
  _offset: "UInt64",
};
const UPSTREAM: Readable[] = [
  {
    name: "ods.flight",
    kind: "source",
    layer: "ods",
    table: "weir_state.ods__flight__v1",
    columns: Object.entries(COLUMNS).map(([name, type]) => ({ name, type })),
  },
  {
    name: "dim.place",
    kind: "dimension",
    layer: "dim",
    table: "dim.place",
    columns: [
      { name: "code", type: "String" },
      { name: "state", type: "String" },
      { name: "k", type: "Int32" },
    ],
  },
  { name: "dwa.above", kind: "model", layer: "dwa", strategy: "append", table: "none", columns: [] },
  {
    name: "dwf.daily",
    kind: "model",
    layer: "dwf",
    strategy: "refresh",
    table: "none",
    columns: [{ name: "a", type: "Int64" }],
  },
];

/** SELECTs over `ods.flight`, a kind after the other. */
const SELECTS: readonly string[] = [
  // Rows that stay.
  "SELECT id, t, s, a * 2 AS twice FROM ods.flight",
  "SELECT f.id, f.t AS at, upper(f.s) AS s FROM ods.flight AS f WHERE f.a > 0",
  "SELECT id, t, x FROM ods.flight ARRAY JOIN arr AS x",
  "SELECT id, x, i FROM ods.flight LEFT ARRAY JOIN arr AS x, arrayEnumerate(arr) AS i",
  "SELECT id, p.state AS state FROM ods.flight AS f LEFT JOIN dim.place AS p ON p.code = f.s",
  "SELECT id, dictGet('dim.place_by_code', 'state', toString(s)) AS state, t FROM ods.flight",
  "WITH 3 AS three, a + three AS more SELECT id, more, more * 2 AS twice FROM ods.flight WHERE more > 0",
  "SELECT id, ods.flight.a AS a2, flight.k AS k2 FROM ods.flight",
  "SELECT id, s FROM ods.flight WHERE s IN (SELECT code FROM dim.place)",
  "SELECT id, a FROM ods.flight WHERE k < (SELECT max(k) FROM dim.place) AND s IN (SELECT max(code) FROM dim.place GROUP BY k)",
  "SELECT _offset AS position, o, n, tuple(a, s) AS pair, mp FROM ods.flight",
  "SELECT id, CASE WHEN a > 0 THEN 'up' ELSE 'down' END AS sign, d::DateTime AS at FROM ods.flight -- at the end",
  // Groups and simple states.
  "SELECT s, count() AS n FROM ods.flight GROUP BY s",
  "SELECT toStartOfHour(t) AS hour, s, count() AS n, countIf(a > 0) AS up, sum(a) AS total FROM ods.flight GROUP BY hour, s",
  "SELECT s, sum(a) / count() AS mean, sum(a) AS total, count() AS n, sum(a) * 2 AS double FROM ods.flight GROUP BY s",
  "SELECT sum(a) AS a, s FROM ods.flight GROUP BY s",
  "SELECT toStartOfHour(t) AS t, max(a) AS a FROM ods.flight GROUP BY t",
  "SELECT plus(k, 1) AS k, plus(k, 1) * 2 AS twice, count() AS n FROM ods.flight GROUP BY k",
  "SELECT s, min(a) AS low, max(a) AS high, min(o) AS first, max(n) AS most, min(m) AS least, max(t) AS last FROM ods.flight GROUP BY s",
  "SELECT s, minIf(a, a > 5) AS low, maxIf(a, a < -5) AS high, min(a) FILTER (WHERE a > 50) AS far FROM ods.flight GROUP BY s",
  "SELECT s, sum(u) AS u, sum(z) AS z, sum(m) AS m, sum(w) AS w, sum(n) AS n, sum(f) AS f, sum(b) AS b FROM ods.flight GROUP BY s",
  "SELECT s, sumIf(a, b) AS sa, sumIf(n, n > 100) AS sn, sumIf(w, k = 1) AS w, sum(a) FILTER (WHERE a > 0) AS up FROM ods.flight GROUP BY s",
  "SELECT o, k, count() AS c, count(o) AS with_o FROM ods.flight GROUP BY o, k",
  "SELECT s, groupBitOr(u) AS bits, groupBitAnd(u) AS ands, groupBitXor(u) AS xors FROM ods.flight GROUP BY s",
  // States of the engine.
  "SELECT s, uniq(id) AS ids, uniqExact(k) AS ks, uniqIf(id, a > 0) AS up, count(DISTINCT k) AS kd, sum(DISTINCT k) AS sd FROM ods.flight GROUP BY s",
  "SELECT s, count(DISTINCT k, s) AS pairs, count(DISTINCT k) FILTER (WHERE b) AS c FROM ods.flight GROUP BY s",
  "SELECT s, avg(a) AS mean, avg(m) AS money, avgIf(a, b) AS some, avg(n) AS maybe FROM ods.flight GROUP BY s",
  "SELECT s, quantile(0.5)(a) AS half, quantiles(0.1, 0.9)(a) AS ends, quantileExact(0.9)(a) AS exact, median(k) AS mid FROM ods.flight GROUP BY s",
  "SELECT s, quantiles(0.1, 0.9)(a)[2] AS high, round(quantile(0.9)(a), 1) AS rounded FROM ods.flight GROUP BY s",
  "SELECT s, argMax(a, (t, id)) AS newest, argMin(s, (t, id)) AS oldest FROM ods.flight GROUP BY s",
  "SELECT s, arraySort(groupArray(k)) AS ks, arraySort(groupUniqArray(k)) AS uniques, length(groupArray(k)) AS n FROM ods.flight GROUP BY s",
  "SELECT s, groupArraySorted(3)(a) AS lowest, stddevPop(k) AS deviation FROM ods.flight GROUP BY s",
  "SELECT s, sumMap(mp) AS counts, sumArray(arr) AS total, uniqArray(arr) AS different FROM ods.flight GROUP BY s",
  "SELECT s, maxOrNullIf(a, a > 90) AS high, sumOrNull(n) AS sn, sumOrDefault(a) AS sa FROM ods.flight GROUP BY s",
  "SELECT s, sumForEach(arr) AS each, countOrNullIf(a > 99) AS c FROM ods.flight GROUP BY s",
  // Names, keys and clauses.
  "SELECT count() AS n, sum(a) AS total, min(a) AS low, max(t) AS last FROM ods.flight WHERE a > 95",
  "SELECT s, k, count() AS n FROM ods.flight GROUP BY ALL",
  "SELECT toDate(t) AS day, s, count() AS n FROM ods.flight GROUP BY 1, 2",
  "SELECT toDate(t) AS day, formatDateTime(toDate(t), '%Y-%m') AS month, count() AS n FROM ods.flight GROUP BY toDate(t)",
  "SELECT count() AS n, max(a) AS high FROM ods.flight GROUP BY s, toStartOfDay(t)",
  "SELECT concat(s, '!') AS label, count() AS n FROM ods.flight GROUP BY s, k",
  "SELECT concat(f.s, '!') AS label, f.s, count() AS n FROM ods.flight AS f GROUP BY s",
  "SELECT s, k + 1 AS next, (k + 1) * 10 AS tens, count() AS n FROM ods.flight GROUP BY s, k + 1",
  "SELECT s, sum(a) AS total FROM ods.flight GROUP BY s HAVING total > 0 AND count() > 2",
  "SELECT s FROM ods.flight GROUP BY s",
  "WITH a > 0 AS is_up SELECT s, countIf(is_up) AS up, countIf(NOT is_up) AS down FROM ods.flight GROUP BY s",
  "WITH sum(a) AS total, count() AS n, total / n AS mean SELECT s, mean, round(mean) AS rounded FROM ods.flight GROUP BY s",
  "WITH toStartOfHour(t) AS h SELECT h AS hour, toDate(h) AS day, count() AS n FROM ods.flight GROUP BY hour",
  "WITH toStartOfHour(t) AS h SELECT h, count() AS n, 10 AS ten FROM ods.flight GROUP BY h",
  "SELECT upper(s) AS big, s, countIf(big = 'A') AS n FROM ods.flight GROUP BY s",
  "SELECT s, sum(a AS value) AS total, max(value) AS high FROM ods.flight GROUP BY s",
  "SELECT s, sum(a) AS total, total / 2 AS half, if(half > 10, 'much', 'little') AS how FROM ods.flight GROUP BY s",
  "SELECT x, count() AS n, uniq(id) AS ids FROM ods.flight ARRAY JOIN arr AS x GROUP BY x",
  "SELECT p.state AS state, count() AS n, sum(f.a) AS total FROM ods.flight AS f INNER JOIN dim.place AS p ON p.code = f.s GROUP BY state",
  "SELECT dictGet('dim.place_by_code', 'state', toString(s)) AS state, count() AS n FROM ods.flight GROUP BY state",
  "SELECT per_two(a) AS halves, count() AS n FROM ods.flight GROUP BY halves",
  'SELECT `s` AS "the key", count() AS `the number` FROM `ods`.`flight` /* a /* nested */ comment */ GROUP BY `the key`',
  "SELECT e, b, d, count() AS n, toFloat64(sum(m)) / count() AS mean, divideDecimal(sum(m), toDecimal64(count(), 0), 4) AS exact FROM ods.flight GROUP BY e, b, d",
  "WITH a AS _state_1, k AS _key_1 SELECT s, sum(_state_1) AS total FROM ods.flight GROUP BY s, _key_1",
  "SELECT s, SUM(a) AS total, Count(*) AS n, STDDEV_POP(k) AS deviation, MAX(a) AS high FROM ods.flight GROUP BY s",
  "SELECT s AS k, k AS q, count() AS n FROM ods.flight GROUP BY k, q",
  "SELECT d, s, a > 0 ? 'up' : 'down' AS sign, count() AS n, sum(a + k) AS total, sum(-a) AS minus FROM ods.flight GROUP BY d, s, sign",
  "SELECT s, count() AS n, arrayMap(x -> x * 2, groupArraySorted(2)(a)) AS twice FROM ods.flight GROUP BY s",
  "SELECT toStartOfInterval(t, INTERVAL 15 MINUTE) AS quarter, extract(HOUR FROM t) AS h, sum(toInt64(a)) AS total FROM ods.flight GROUP BY quarter, h",
  "SELECT s, k AS s2, max((a, id)) AS pair, min([a]) AS list, max(s) AS name, max(e) AS last FROM ods.flight GROUP BY s, s2",
  "SELECT s, sum(a) AS total, total AS again, count() AS n FROM ods.flight GROUP BY s HAVING again > 0 OR n > 1",
  "SELECT f.k, f.s AS s, count() AS n FROM ods.flight f GROUP BY f.k, f.s",
  "SELECT s, corr(a, k) AS r, avgWeighted(a, k + 1) AS w, topK(3)(s) AS top FROM ods.flight GROUP BY s",
  "SELECT s, if(sum(a) > 0, 'up', 'down') AS trend, max(t) - min(t) AS span, dateDiff('hour', min(t), max(t)) AS hours FROM ods.flight GROUP BY s",
  "SELECT DATE_TRUNC('month', t) AS month, s LIKE 'a%' AS is_a, COUNT(*) AS n FROM ods.flight GROUP BY month, is_a",
];

/** SELECTs (with front matter behind a mark) and where and why they are refused; the SELECT begins on line 6. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["SELECT a FROM", "6:14 Cannot use this model: the engine cannot read it at its end."],
  ["SELEC a FROM ods.flight", "6:1 Cannot use this model: it begins with 'SELEC'."],
  ["SELECT a FRM ods.flight WHERE 1 1", "6:14 Cannot use this model: the engine cannot read it at 'ods'."],
  ["SELECT aa FROM ods.flight", "6:8 Cannot use this model: the engine says: Unknown expression identifier `aa`."],
  ["SELECT a + 1 FROM ods.flight", "6:8 Cannot use this model: an expression has no name."],
  ["SELECT * FROM ods.flight", "6:8 Cannot use this model: it selects *."],
  ["SELECT f.* FROM ods.flight AS f", "6:8 Cannot use this model: it selects *."],
  ["SELECT a, k AS a FROM ods.flight", "6:16 Cannot use this model: two columns are named 'a'."],
  ["SELECT a AS _a FROM ods.flight", "6:13 Cannot use this model: column '_a' begins with an underscore."],
  ["SELECT a total FROM ods.flight", "6:8 Cannot use this model: an expression has no name."],
  ["SELECT DISTINCT a FROM ods.flight", "6:8 Cannot use this model: SELECT DISTINCT cannot be kept up to date."],
  ["SELECT a FROM ods.flight ORDER BY a", "6:26 Cannot use this model: ORDER BY cannot be kept up to date by views."],
  ["SELECT a FROM ods.flight LIMIT 3", "6:26 Cannot use this model: LIMIT cannot be kept up to date by views."],
  ["SELECT a FROM ods.flight LIMIT 1 BY s", "6:26 Cannot use this model: LIMIT cannot be kept up to date by views."],
  [
    "SELECT a FROM ods.flight UNION ALL SELECT a FROM ods.flight",
    "6:26 Cannot use this model: UNION cannot be kept up to date by views.",
  ],
  ["SELECT a FROM ods.flight FINAL", "6:26 Cannot use this model: FINAL cannot be kept up to date by views."],
  ["SELECT a FROM ods.flight SAMPLE 0.1", "6:26 Cannot use this model: SAMPLE cannot be kept up to date by views."],
  [
    "SELECT a FROM ods.flight SETTINGS max_threads = 1",
    "6:26 Cannot use this model: SETTINGS cannot be kept up to date by views.",
  ],
  ["SELECT a FROM ods.flight FORMAT JSON", "6:33 Cannot use this model: the engine cannot read it at 'JSON'."],
  [
    "SELECT a FROM ods.flight PREWHERE a > 1",
    "6:26 Cannot use this model: PREWHERE cannot be kept up to date by views.",
  ],
  [
    "SELECT s, count() AS n FROM ods.flight GROUP BY s WITH TOTALS",
    "6:49 Cannot use this model: TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views.",
  ],
  [
    "SELECT s, count() AS n FROM ods.flight GROUP BY ROLLUP(s)",
    "6:49 Cannot use this model: TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views.",
  ],
  [
    "SELECT s, count() AS n FROM ods.flight GROUP BY GROUPING SETS ((s), ())",
    "6:49 Cannot use this model: TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views.",
  ],
  [
    "SELECT a, row_number() OVER (ORDER BY a) AS r FROM ods.flight",
    "6:11 Cannot use this model: a window sees only one insert at a time.",
  ],
  [
    "SELECT a, sum(a) OVER w AS r FROM ods.flight WINDOW w AS (PARTITION BY s)",
    "6:46 Cannot use this model: WINDOW cannot be kept up to date by views.",
  ],
  [
    "SELECT a FROM (SELECT a FROM ods.flight)",
    "6:15 Cannot use this model: a subquery in FROM cannot be kept up to date by views.",
  ],
  [
    "WITH x AS (SELECT a FROM ods.flight) SELECT a FROM x",
    "6:6 Cannot use this model: WITH <name> AS (SELECT …) cannot be kept up to date by views.",
  ],
  [
    "SELECT a FROM ods.flight WHERE a > (SELECT avg(a) FROM ods.flight)",
    "6:56 Cannot use this model: it reads ods.flight beside ods.flight: a view sees inserts of one table.",
  ],
  [
    "SELECT a FROM ods.flight WHERE a IN (SELECT a FROM dwf.daily)",
    "6:52 Cannot use this model: it reads dwf.daily beside ods.flight: a view sees inserts of one table.",
  ],
  ["SELECT a FROM dwf.daily", "6:15 Cannot use this model: dwf.daily is computed anew, no view can follow it."],
  [
    "SELECT code FROM dim.place",
    "6:18 Cannot use this model: dim.place is replaced as a whole, no view can follow it.",
  ],
  ["SELECT a FROM flight", "6:15 Cannot use this model: 'flight' is not qualified."],
  ["SELECT a FROM nowhere.flight", "6:15 Cannot use this model: 'nowhere' is no layer."],
  ["SELECT a FROM ods.flown", "6:15 Cannot use this model: there is no ods.flown."],
  ["SELECT a FROM dwa.above", "6:15 Cannot use this model: a model of dwf reads dwa.above, a layer above it."],
  ["SELECT a FROM dwf.bad", "6:15 Cannot use this model: it reads itself."],
  ["SELECT name FROM system.tables", "6:18 Cannot use this model: 'system' is no layer."],
  [
    "SELECT a FROM url('http://localhost:1', 'CSV', 'a Int64')",
    "6:15 Cannot use this model: it reads the table function url.",
  ],
  ["SELECT a FROM ods.flight, numbers(3)", "6:27 Cannot use this model: it reads the table function numbers."],
  ["SELECT a, now() AS t2 FROM ods.flight", "6:11 Cannot use this model: now answers differently for the same rows."],
  [
    "SELECT a, hidden_now(1) AS t2 FROM ods.flight",
    "6:1 Cannot use this model: a function hides now, which answers differently for the same rows.",
  ],
  [
    "SELECT a, rand() % 2 AS r FROM ods.flight",
    "6:11 Cannot use this model: rand answers differently for the same rows.",
  ],
  [
    "SELECT a, generateUUIDv4() AS r FROM ods.flight",
    "6:11 Cannot use this model: generateUUIDv4 answers differently for the same rows.",
  ],
  [
    "SELECT a, file('/etc/passwd') AS r FROM ods.flight",
    "6:11 Cannot use this model: file answers differently for the same rows.",
  ],
  [
    "SELECT a, hostName() AS r FROM ods.flight",
    "6:11 Cannot use this model: hostName answers differently for the same rows.",
  ],
  [
    "SELECT a, getSetting('max_threads') AS r FROM ods.flight",
    "6:11 Cannot use this model: getSetting answers differently for the same rows.",
  ],
  [
    "SELECT a, rowNumberInAllBlocks() AS r FROM ods.flight",
    "6:11 Cannot use this model: rowNumberInAllBlocks answers differently for the same rows.",
  ],
  [
    "SELECT a, dictGet('ods.flight', 'x', a) AS r FROM ods.flight",
    "6:55 Cannot use this model: the engine says: Dictionary (`ods.flight`) not found.",
  ],
  ["SELECT a, 1 / m AS r FROM ods.flight", "6:13 Cannot use this model: a division of Decimals cuts digits off."],
  [
    "SELECT s, sum(m) AS total, sum(m) / count() AS mean FROM ods.flight GROUP BY s",
    "6:35 Cannot use this model: a division of Decimals cuts digits off.",
  ],
  [
    "SELECT s, count() AS n FROM ods.flight GROUP BY s HAVING sum(m) / count() > 1",
    "6:65 Cannot use this model: a division of Decimals cuts digits off.",
  ],
  [
    "SELECT s, any(a) AS x FROM ods.flight GROUP BY s",
    "6:11 Cannot use this model: any cannot be merged from parts in any order.",
  ],
  [
    "SELECT s, groupArray(a) AS x FROM ods.flight GROUP BY s",
    "6:11 Cannot use this model: the order of groupArray is lost when its parts are merged.",
  ],
  [
    "SELECT s, groupUniqArray(3)(a) AS x FROM ods.flight GROUP BY s",
    "6:11 Cannot use this model: the order of groupUniqArray is lost when its parts are merged.",
  ],
  [
    "SELECT s, first_value(a) AS x FROM ods.flight GROUP BY s",
    "6:11 Cannot use this model: first_value cannot be merged from parts in any order.",
  ],
  [
    "SELECT s, uniqState(a) AS x FROM ods.flight GROUP BY s",
    "6:11 Cannot use this model: uniqState keeps or merges states by itself.",
  ],
  [
    "SELECT s, hidden_sum(a) AS x FROM ods.flight GROUP BY s",
    "6:22 Cannot use this model: its result cannot be put together from its parts: Unknown expression or function identifier `a`.",
  ],
  ["SELECT hidden_sum(a) AS x FROM ods.flight", "6:1 Cannot use this model: a function hides the aggregate sum."],
  [
    "SELECT s, hidden_sum(k) AS x FROM ods.flight GROUP BY s, k",
    "6:1 Cannot use this model: a function hides the aggregate sum.",
  ],
  ["SELECT f, count() AS n FROM ods.flight GROUP BY f", "6:8 Cannot use this model: a group key has the type Float64."],
  [
    "SELECT mp, count() AS n FROM ods.flight GROUP BY mp",
    "6:8 Cannot use this model: a group key has the type Map(String, UInt32).",
  ],
  [
    "SELECT (s, k) AS p, count() AS n FROM ods.flight GROUP BY (s, k), s",
    "6:59 Cannot use this model: its group keys stand in brackets.",
  ],
  [
    "SELECT s, k, count() AS n FROM ods.flight GROUP BY (s, k)",
    "6:52 Cannot use this model: its group keys stand in brackets.",
  ],
  [
    "SELECT s, a, count() AS n FROM ods.flight GROUP BY s",
    "6:11 Cannot use this model: the engine says: Column 'flight.a' is not under aggregate function and not in GROUP BY keys.",
  ],
  [
    "SELECT s, sum(a) + k AS x FROM ods.flight GROUP BY ALL",
    "6:20 Cannot use this model: its result cannot be put together from its parts: Unknown expression or function identifier `k`.",
  ],
  ["SELECT a FROM ods.flight HAVING a > 1", "6:33 Cannot use this model: HAVING stands without GROUP BY."],
  [
    "SELECT f.a FROM ods.flight AS f RIGHT JOIN dim.place AS p ON p.code = f.s",
    "6:33 Cannot use this model: RIGHT JOIN makes rows of what the view does not see.",
  ],
  [
    "SELECT f.a FROM ods.flight AS f JOIN ods.flight AS g ON f.a = g.a",
    "6:38 Cannot use this model: it reads ods.flight beside ods.flight: a view sees inserts of one table.",
  ],
  ["SELECT a FROM ods.flight WHERE s = {state:String}", "6:36 Cannot use this model: it has a parameter 'state'."],
  ["SELECT a FROM ods.flight; SELECT 1", "6:27 Cannot use this model: something follows its SELECT."],
  ["SELECT INTERVAL 1 DAY AS x FROM ods.flight", "6:8 Cannot use this model: column 'x' has the type IntervalDay."],
  ["SELECT NULL AS x FROM ods.flight", "6:8 Cannot use this model: column 'x' has the type Nullable(Nothing)."],
  ["SELECT a INTO OUTFILE 'x' FROM ods.flight", "6:15 Cannot use this model: the engine cannot read it at 'OUTFILE'."],
  [
    "SELECT a FROM ods.flight -- front: strategy: fold",
    "4:1 Cannot use this model: its strategy is fold, and the SELECT has neither an aggregate nor GROUP BY.",
  ],
  [
    "SELECT count() AS n FROM ods.flight -- front: strategy: append",
    "4:1 Cannot use this model: its strategy is append, and the SELECT aggregates.",
  ],
  [
    "SELECT a FROM ods.flight -- front: strategy: refresh",
    "4:1 Cannot use this model: nothing says how often it is refreshed.",
  ],
  [
    "SELECT a FROM ods.flight -- front: ttl: 3 days",
    "4:1 Cannot use this model: it has no time to tell a row's age by.",
  ],
  [
    "SELECT a FROM ods.flight -- front: partition_by: day",
    "4:1 Cannot use this model: it has no time to partition by day.",
  ],
  [
    "SELECT a FROM ods.flight -- front: order_by: [b]",
    "4:1 Cannot use this model: order_by names 'b', which is not among its columns.",
  ],
  [
    "SELECT a, f FROM ods.flight -- front: order_by: [f]",
    "4:1 Cannot use this model: order_by names 'f', whose type is Float64.",
  ],
  [
    "SELECT a, m FROM ods.flight -- front: lookup: [m]",
    "4:1 Cannot use this model: lookup names 'm', whose type is Decimal(10, 2).",
  ],
  ["SELECT a FROM ods.flight -- front: columns: { b: what }", "4:12 Cannot use this model: there is no column 'b'."],
  [
    "SELECT s, count() AS n FROM ods.flight GROUP BY s -- front: order_by: [n]",
    "4:1 Cannot use this model: order_by names 'n', which is not among its group keys.",
  ],
  [
    "SELECT a FROM ods.flight -- front: refresh: { every: 1 ms }",
    "4:12 Cannot use this model: it would be refreshed more often than once a second.",
  ],
  [
    "SELECT rand() AS r FROM ods.flight -- front: refresh: { every: 1 hour }",
    "6:8 Cannot use this model: rand answers differently for the same rows.",
  ],
  [
    "SELECT a FROM url('http://localhost:1', 'CSV', 'a Int64') -- front: refresh: { every: 1 hour }",
    "6:15 Cannot use this model: it reads the table function url.",
  ],
  [
    "SELECT a, a FROM ods.flight -- front: refresh: { every: 1 hour }",
    "6:1 Cannot use this model: column 2 would be named 'a' again.",
  ],
  [
    "SELECT a + 1 FROM ods.flight -- front: refresh: { every: 1 hour }",
    "6:1 Cannot use this model: column 1 would be named 'plus(a, 1)'.",
  ],
  [
    "SELECT a FROM dwa.above -- front: refresh: { every: 1 hour }",
    "6:15 Cannot use this model: a model of dwf reads dwa.above, a layer above it.",
  ],
];

let engine: Engine;
let models: Models;

beforeAll(async () => {
  engine = await startEngine();
  for (const statement of createWeirTables()) await engine.run(statement);
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
  await engine.run(`CREATE TABLE weir_state.ods__flight__v1 (${columns.join(", ")}) ENGINE = MergeTree ORDER BY t
    SETTINGS non_replicated_deduplication_window = 1000`);
  await engine.run("CREATE VIEW ods.flight AS SELECT * FROM weir_state.ods__flight__v1");
  await engine.run("CREATE TABLE dim.place (code String, state String, k Int32) ENGINE = MergeTree ORDER BY code");
  await engine.run("INSERT INTO dim.place VALUES ('a', 'CA', 1), ('b', 'NY', 2)");
  await engine.run(`CREATE DICTIONARY dim.place_by_code (code String, state String) PRIMARY KEY code
    SOURCE(CLICKHOUSE(QUERY 'SELECT code, state FROM dim.place' USER 'weir_admin' PASSWORD '${password()}'))
    LIFETIME(0) LAYOUT(COMPLEX_KEY_HASHED())`);
  await engine.run("CREATE FUNCTION per_two AS (x) -> intDiv(x, 2)");
  await engine.run("CREATE FUNCTION hidden_sum AS (x) -> sum(x)");
  await engine.run("CREATE FUNCTION hidden_now AS (x) -> now() + x");
  const knownFunctions = new Set(["per_two", "hidden_sum", "hidden_now"]);
  models = new Models(engine, { upstream: UPSTREAM, options: { knownFunctions } });
});
afterAll(() => engine.stop());

const password = () => decodeURIComponent(new URL(engine.url).password);

/** Inserts as batches land: each with a token of its own, in every table of the cascade. */
async function insert(rest: string): Promise<void> {
  inserted += 1;
  const settings = {
    async_insert: 0,
    insert_deduplication_token: `test:${inserted}`,
    deduplicate_blocks_in_dependent_materialized_views: 1,
    materialized_views_ignore_errors: 0,
  };
  await engine.run(`INSERT INTO weir_state.ods__flight__v1 ${rest}`, { settings });
}
let inserted = 0;

/** The same rows at every run. */
function* rows(count: number): Generator<string> {
  let seed = 7;
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let id = 0; id < count; id++) {
    const s = "abc"[next(3)];
    const day = `2026-0${1 + next(3)}-0${1 + next(4)}`;
    const list = Array.from({ length: next(4) }, () => next(9) - 4);
    const [k, a] = [next(4), next(201) - 100];
    const maybe = <Value>(value: Value) => (next(3) === 0 ? "NULL" : value);
    yield `(${id}, '${day} 0${next(3)}:00:0${next(9)}.5', '${day}', '${s}', ${maybe(`'${s}${next(2)}'`)}, ${k}, ${a},
      ${next(1000)}, ${next(1000) - 500}, ${next(900)}.25, ${next(900)}.1234, ${next(100) / 2}, ${maybe(next(300))},
      [${list}], ${next(2)}, '${"xy"[next(2)]}', {'${s}': ${next(5)}, 'x': 1}, ${id})`;
  }
}

describe("planModel()", () => {
  test(`keeps the results of ${SELECTS.length} SELECTs exactly`, async () => {
    const built: Model[] = [];
    const failed: string[] = [];
    for (const [index, sql] of SELECTS.entries()) {
      try {
        built.push(await models.build(`dwf/case_${index}.sql`, { sql }));
      } catch (error) {
        failed.push(`${sql}\n${(error as Error).message}`);
      }
    }
    expect(failed).toEqual([]);
    const all = [...rows(160)];
    for (let from = 0, size = 1; from < all.length; from += size, size = 1 + ((size * 5) % 11))
      await insert(`VALUES ${all.slice(from, from + size).join(", ")}`);
    for (const isMerged of [false, true]) {
      for (const [index, model] of built.entries()) {
        if (isMerged) await engine.run(`OPTIMIZE TABLE ${stateTable(model as never, 1)} FINAL`);
        const { live, batch } = await models.compare(model);
        expect(`${SELECTS[index]}\n${live}`).toBe(`${SELECTS[index]}\n${batch}`);
        expect(batch).not.toBe("");
      }
    }
  }, 120_000);

  test.each(REFUSED)("refuses %p", async (sql, expected) => {
    const [text, front = ""] = sql.split(" -- front: ");
    let message = "nothing was refused";
    try {
      await models.plan("dwf/bad.sql", { sql: text, front });
    } catch (error) {
      if (!(error instanceof DefinitionError)) throw error;
      message = `${error.line}:${error.column} ${error.problem}`;
    }
    expect(message).toBe(expected);
  });

  test("folds folds where it distributes, and nothing else", async () => {
    const hour = await models.build("dwf/hour.sql", {
      sql: `SELECT toStartOfHour(t) AS hour, s, k, count() AS n, sum(a) AS total, sum(w) AS money, min(a) AS low,
        max(a) AS high, avg(a) AS mean, sum(a) / count() AS ratio, countIf(a > 0) AS up
        FROM ods.flight WHERE id >= 1000 GROUP BY hour, s, k`,
    });
    expect(hour.strategy).toBe("fold");
    const day = await models.build("dws/day.sql", {
      sql: `SELECT toDate(f.hour) AS day, s, sum(n) AS trips, sum(f.total) AS whole, sum(f.money) AS money, min(low) AS lowest,
        max(high) AS highest, sumIf(n, s != 'a') AS others, sum(total) / sum(n) AS mean, max(hour) AS last, uniqExact(k) AS ks
        FROM dwf.hour AS f WHERE k < 3 GROUP BY day, s HAVING trips > 0`,
    });
    const over = await models.build("dws/over.sql", {
      sql: "SELECT s, sum(n) AS all_of_them FROM dwf.hour GROUP BY s",
    });
    const top = await models.build("dwa/top.sql", { sql: "SELECT sum(all_of_them) AS everything FROM dws.over" });
    const all = [...rows(1100)].slice(1000);
    for (let from = 0; from < all.length; from += 7) await insert(`VALUES ${all.slice(from, from + 7).join(", ")}`);
    for (const model of [hour, day, over, top]) {
      const { live, batch } = await models.compare(model);
      expect(live).toBe(batch);
      await engine.run(`OPTIMIZE TABLE ${stateTable(model as never, 1)} FINAL`);
      expect(await models.compare(model)).toEqual({ live: batch, batch });
    }
    expect(top.feeds).toBe("dws.over");
    const wrong = async (sql: string) => {
      const planned = models.plan("dws/wrong.sql", { sql });
      return planned.then(() => "nothing was refused").catch((error: DefinitionError) => error.problem);
    };
    const over_hour = "is not the same over the fragments that a view sees.";
    expect(await wrong("SELECT s, max(total) AS x FROM dwf.hour GROUP BY s")).toContain(
      `max over dwf.hour ${over_hour}`,
    );
    expect(await wrong("SELECT s, count() AS x FROM dwf.hour GROUP BY s")).toContain(
      `count over dwf.hour ${over_hour}`,
    );
    expect(await wrong("SELECT s, sum(mean) AS x FROM dwf.hour GROUP BY s")).toContain("sum over dwf.hour");
    expect(await wrong("SELECT s, sum(k) AS x FROM dwf.hour GROUP BY s")).toContain(`sum over dwf.hour ${over_hour}`);
    expect(await wrong("SELECT s, avg(n) AS x FROM dwf.hour GROUP BY s")).toContain("avg over dwf.hour");
    expect(await wrong("SELECT s, sumIf(n, up > 1) AS x FROM dwf.hour GROUP BY s")).toContain("sumIf over dwf.hour");
    expect(await wrong("SELECT s, sum(n) AS x FROM dwf.hour WHERE n > 1 GROUP BY s")).toContain(
      "more of dwf.hour than its group keys",
    );
    expect(await wrong("SELECT s, sum(n) AS x FROM dwf.hour WHERE ratio > 1 GROUP BY s")).toContain(
      "more of dwf.hour than its group keys",
    );
    expect(await wrong("SELECT n AS x, count() AS c FROM dwf.hour GROUP BY n")).toContain("dwf.hour");
    expect(await wrong("SELECT s, n FROM dwf.hour")).toContain("dwf.hour is a fold");
    expect(await wrong("SELECT s, sum(whole) AS x FROM dws.day GROUP BY s")).toContain("leaves groups out with HAVING");
  });

  test("keeps sums that would wrap, and says so on reading", async () => {
    const model = await models.build("dwf/wide.sql", {
      sql: "SELECT k, sum(a) AS a1, count() AS n FROM ods.flight WHERE s = 'wide' GROUP BY k",
    });
    expect(model.stateColumns.map(({ type }) => type)).toEqual([
      "Int32",
      "SimpleAggregateFunction(sum, Int128)",
      "SimpleAggregateFunction(sum, UInt64)",
    ]);
    const insertOne = (a: string) => insert(`(s, k, a) VALUES ('wide', 1, ${a})`);
    await insertOne("9223372036854775807");
    await insertOne("9223372036854775807");
    await expect(engine.run("SELECT a1 FROM dwf.wide")).rejects.toThrow("cannot be safely converted");
    await insertOne("-9223372036854775808");
    expect(await engine.run("SELECT a1, n FROM dwf.wide")).toBe("9223372036854775806\t3\n");
  });

  test("computes anew on a schedule what views cannot follow", async () => {
    const model = await models.plan("dwa/top_three.sql", {
      sql: "WITH best AS (SELECT s, count() AS n FROM ods.flight GROUP BY s) SELECT s, n, now() AS at FROM best ORDER BY n DESC LIMIT 2",
      front: "refresh: { every: 90 minutes }\norder_by: [s]",
    });
    expect(model).toMatchObject({ strategy: "refresh", feeds: undefined, reads: ["ods.flight"], refreshMs: 5_400_000 });
    await engine.run(createModelTable(model, 1));
    expect(createRefreshView(model, 1)).toContain("REFRESH EVERY 90 MINUTE TO weir_state.dwa__top_three__v1");
    await engine.run(createRefreshView(model, 1));
    await engine.run(createModelView(model, 1));
    await engine.run("SYSTEM WAIT VIEW weir_state.dwa__top_three__v1__fill");
    expect(await engine.run("SELECT count() FROM dwa.top_three")).toBe("2\n");
  });

  test("lays the table out and explains it", async () => {
    const model = await models.build("dwf/laid_out.sql", {
      sql: "SELECT toStartOfHour(t) AS hour, o, s, count() AS n, sum(f) AS f, argMax(k, t) AS k FROM ods.flight GROUP BY hour, o, s",
      front:
        "owner: me\nttl: 9000 days\npartition_by: day\nlookup: [s]\ncolumns: { n: How many., hour: When. }\norder_by: [s]",
    });
    expect(model).toMatchObject({
      owner: "me",
      orderBy: ["s", "o", "hour"],
      partitionBy: { column: "hour", by: "day" },
      lookup: ["s"],
      keys: ["hour", "o", "s"],
      classes: { hour: "exact", n: "exact", f: "approximate", k: "ordered" },
    });
    expect(
      await engine.run("SELECT partition_key, sorting_key FROM system.tables WHERE name = 'dwf__laid_out__v1'"),
    ).toBe("toYYYYMMDD(hour)\ts, o, hour\n");
    expect(await engine.run("SELECT comment FROM system.columns WHERE table = 'laid_out' AND name = 'n'")).toBe(
      "How many.\n",
    );
    expect(model.explanation).toEqual([
      "fold: it aggregates rows of ods.flight, and every aggregate merges from parts in any order",
      "sorted by s, o, hour: order_by first, then the other group keys, which make a row unique",
      "partitioned by day of hour",
      "count() is kept as a value that merges by sum (_state_1, exact)",
      "sum(f) is kept as a value that merges by sum (_state_2, approximate)",
      "argMax(k, t) is kept as the engine's state AggregateFunction(argMax, Int32, DateTime64(3, 'UTC')) (_state_3, ordered)",
    ]);
  });

  test("knows every aggregate function of the engine", async () => {
    const names = (await engine.run("SELECT name FROM system.functions WHERE is_aggregate")).trim().split("\n");
    expect(names.filter((name) => !AGGREGATES.has(name.toLowerCase()))).toEqual([]);
  });
});
