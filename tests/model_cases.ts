/**
 * Cases for the planner: a table, its rows, and SELECTs whose results models must keep exactly.
 *
 * @module
 */
import type { Readable } from "@weir/sql";

/** Columns of the table that the SELECTs read. */
export const COLUMNS = {
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
/** What models of the tests can read. */
export const UPSTREAM: Readable[] = [
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
export const SELECTS: readonly string[] = [
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
  "SELECT k, ((count())) AS n, -(sum(a)) AS m, (SELECT max(k) FROM dim.place) AS top FROM ods.flight GROUP BY (k)",
  "WITH (SELECT max(k) FROM dim.place) AS mk SELECT k, countIf(k = mk) AS n FROM ods.flight GROUP BY k",
  "SELECT p.k AS pk, f.k AS fk, count() AS n FROM ods.flight f, dim.place p GROUP BY pk, fk",
  "SELECT s, sum(a) AS total, total AS again, count() AS n FROM ods.flight GROUP BY s HAVING again > 0 OR n > 1",
  "SELECT f.k, f.s AS s, count() AS n FROM ods.flight f GROUP BY f.k, f.s",
  "SELECT s, corr(a, k) AS r, avgWeighted(a, k + 1) AS w, topK(3)(s) AS top FROM ods.flight GROUP BY s",
  "SELECT s, if(sum(a) > 0, 'up', 'down') AS trend, max(t) - min(t) AS span, dateDiff('hour', min(t), max(t)) AS hours FROM ods.flight GROUP BY s",
  "SELECT DATE_TRUNC('month', t) AS month, s LIKE 'a%' AS is_a, COUNT(*) AS n FROM ods.flight GROUP BY month, is_a",
];

/** The same rows at every run. */
export function* rows(count: number): Generator<string> {
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
