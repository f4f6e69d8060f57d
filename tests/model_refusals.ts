/**
 * What the planner refuses: one SELECT on each line (front matter behind a mark), below it where and why.
 *
 * The SELECT begins on line 6 of its file, front matter of its own stands on line 4.
 *
 * @module
 */

const TEXT = `
SELECT a FROM
  6:14 the engine cannot read it at its end.
SELEC a FROM ods.flight
  6:1 it begins with 'SELEC'.
SELECT a FRM ods.flight WHERE 1 1
  6:14 the engine cannot read it at 'ods'.
SELECT aa FROM ods.flight
  6:8 the engine says: Unknown expression identifier \`aa\`.
SELECT a + 1 FROM ods.flight
  6:8 an expression has no name.
SELECT * FROM ods.flight
  6:8 it selects *.
SELECT f.* FROM ods.flight AS f
  6:8 it selects *.
SELECT a, k AS a FROM ods.flight
  6:16 two columns are named 'a'.
SELECT a AS _a FROM ods.flight
  6:13 column '_a' begins with an underscore.
SELECT a total FROM ods.flight
  6:8 an expression has no name.
SELECT DISTINCT a FROM ods.flight
  6:8 SELECT DISTINCT cannot be kept up to date.
SELECT a FROM ods.flight ORDER BY a
  6:26 ORDER BY cannot be kept up to date by views.
SELECT a FROM ods.flight LIMIT 3
  6:26 LIMIT cannot be kept up to date by views.
SELECT a FROM ods.flight LIMIT 1 BY s
  6:26 LIMIT cannot be kept up to date by views.
SELECT a FROM ods.flight UNION ALL SELECT a FROM ods.flight
  6:26 UNION cannot be kept up to date by views.
SELECT a FROM ods.flight FINAL
  6:26 FINAL cannot be kept up to date by views.
SELECT a FROM ods.flight SAMPLE 0.1
  6:26 SAMPLE cannot be kept up to date by views.
SELECT a FROM ods.flight SETTINGS max_threads = 1
  6:26 SETTINGS cannot be kept up to date by views.
SELECT a FROM ods.flight FORMAT JSON
  6:33 the engine cannot read it at 'JSON'.
SELECT a FROM ods.flight PREWHERE a > 1
  6:26 PREWHERE cannot be kept up to date by views.
SELECT s, count() AS n FROM ods.flight GROUP BY s WITH TOTALS
  6:49 TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views.
SELECT s, count() AS n FROM ods.flight GROUP BY ROLLUP(s)
  6:49 TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views.
SELECT s, count() AS n FROM ods.flight GROUP BY GROUPING SETS ((s), ())
  6:49 TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views.
SELECT a, row_number() OVER (ORDER BY a) AS r FROM ods.flight
  6:11 a window sees only one insert at a time.
SELECT a, sum(a) OVER w AS r FROM ods.flight WINDOW w AS (PARTITION BY s)
  6:46 WINDOW cannot be kept up to date by views.
SELECT a FROM (SELECT a FROM ods.flight)
  6:15 a subquery in FROM cannot be kept up to date by views.
WITH x AS (SELECT a FROM ods.flight) SELECT a FROM x
  6:6 WITH <name> AS (SELECT …) cannot be kept up to date by views.
SELECT a FROM ods.flight WHERE a > (SELECT avg(a) FROM ods.flight)
  6:56 it reads ods.flight beside ods.flight: a view sees inserts of one table.
SELECT a FROM ods.flight WHERE a IN (SELECT a FROM dwf.daily)
  6:52 it reads dwf.daily beside ods.flight: a view sees inserts of one table.
SELECT a FROM dwf.daily
  6:15 dwf.daily is computed anew, no view can follow it.
SELECT code FROM dim.place
  6:18 dim.place is replaced as a whole, no view can follow it.
SELECT a FROM flight
  6:15 'flight' is not qualified.
SELECT a FROM nowhere.flight
  6:15 'nowhere' is no layer.
SELECT a FROM ods.flown
  6:15 there is no ods.flown.
SELECT a FROM dwa.above
  6:15 a model of dwf reads dwa.above, a layer above it.
SELECT a FROM dwf.bad
  6:15 it reads itself.
SELECT name FROM system.tables
  6:18 'system' is no layer.
SELECT a FROM url('http://localhost:1', 'CSV', 'a Int64')
  6:15 it reads the table function url.
SELECT a FROM ods.flight, numbers(3)
  6:27 it reads the table function numbers.
SELECT a, now() AS t2 FROM ods.flight
  6:11 now answers differently for the same rows.
SELECT a, hidden_now(1) AS t2 FROM ods.flight
  6:1 a function hides now, which answers differently for the same rows.
SELECT a, rand() % 2 AS r FROM ods.flight
  6:11 rand answers differently for the same rows.
SELECT a, generateUUIDv4() AS r FROM ods.flight
  6:11 generateUUIDv4 answers differently for the same rows.
SELECT a, file('/etc/passwd') AS r FROM ods.flight
  6:11 file answers differently for the same rows.
SELECT a, hostName() AS r FROM ods.flight
  6:11 hostName answers differently for the same rows.
SELECT a, getSetting('max_threads') AS r FROM ods.flight
  6:11 getSetting answers differently for the same rows.
SELECT a, rowNumberInAllBlocks() AS r FROM ods.flight
  6:11 rowNumberInAllBlocks answers differently for the same rows.
SELECT a, dictGet('ods.flight', 'x', a) AS r FROM ods.flight
  6:55 the engine says: Dictionary (\`ods.flight\`) not found.
SELECT a, 1 / m AS r FROM ods.flight
  6:13 a division of Decimals cuts digits off.
SELECT s, sum(m) AS total, sum(m) / count() AS mean FROM ods.flight GROUP BY s
  6:35 a division of Decimals cuts digits off.
SELECT s, count() AS n FROM ods.flight GROUP BY s HAVING sum(m) / count() > 1
  6:65 a division of Decimals cuts digits off.
SELECT s, any(a) AS x FROM ods.flight GROUP BY s
  6:11 any cannot be merged from parts in any order.
SELECT s, groupArray(a) AS x FROM ods.flight GROUP BY s
  6:11 the order of groupArray is lost when its parts are merged.
SELECT s, groupUniqArray(3)(a) AS x FROM ods.flight GROUP BY s
  6:11 the order of groupUniqArray is lost when its parts are merged.
SELECT s, first_value(a) AS x FROM ods.flight GROUP BY s
  6:11 first_value cannot be merged from parts in any order.
SELECT s, uniqState(a) AS x FROM ods.flight GROUP BY s
  6:11 uniqState keeps or merges states by itself.
SELECT s, hidden_sum(a) AS x FROM ods.flight GROUP BY s
  6:22 its result cannot be put together from its parts: Unknown expression or function identifier \`a\`.
SELECT hidden_sum(a) AS x FROM ods.flight
  6:1 a function hides the aggregate sum.
SELECT s, hidden_sum(k) AS x FROM ods.flight GROUP BY s, k
  6:1 a function hides the aggregate sum.
SELECT f, count() AS n FROM ods.flight GROUP BY f
  6:8 a group key has the type Float64.
SELECT mp, count() AS n FROM ods.flight GROUP BY mp
  6:8 a group key has the type Map(String, UInt32).
SELECT (s, k) AS p, count() AS n FROM ods.flight GROUP BY (s, k), s
  6:59 its group keys stand in brackets.
SELECT s, k, count() AS n FROM ods.flight GROUP BY (s, k)
  6:52 its group keys stand in brackets.
SELECT s, a, count() AS n FROM ods.flight GROUP BY s
  6:11 the engine says: Column 'flight.a' is not under aggregate function and not in GROUP BY keys.
SELECT s, sum(a) + k AS x FROM ods.flight GROUP BY ALL
  6:20 its result cannot be put together from its parts: Unknown expression or function identifier \`k\`.
SELECT a FROM ods.flight HAVING a > 1
  6:33 HAVING stands without GROUP BY.
SELECT f.a FROM ods.flight AS f RIGHT JOIN dim.place AS p ON p.code = f.s
  6:33 RIGHT JOIN makes rows of what the view does not see.
SELECT f.a FROM ods.flight AS f JOIN ods.flight AS g ON f.a = g.a
  6:38 it reads ods.flight beside ods.flight: a view sees inserts of one table.
SELECT a FROM ods.flight WHERE s = {state:String}
  6:36 it has a parameter 'state'.
SELECT a FROM ods.flight; SELECT 1
  6:27 something follows its SELECT.
SELECT INTERVAL 1 DAY AS x FROM ods.flight
  6:8 column 'x' has the type IntervalDay.
SELECT NULL AS x FROM ods.flight
  6:8 column 'x' has the type Nullable(Nothing).
SELECT a INTO OUTFILE 'x' FROM ods.flight
  6:15 the engine cannot read it at 'OUTFILE'.
SELECT a FROM ods.flight -- front: strategy: fold
  4:1 its strategy is fold, and the SELECT has neither an aggregate nor GROUP BY.
SELECT count() AS n FROM ods.flight -- front: strategy: append
  4:1 its strategy is append, and the SELECT aggregates.
SELECT a FROM ods.flight -- front: strategy: refresh
  4:1 nothing says how often it is refreshed.
SELECT a FROM ods.flight -- front: ttl: 3 days
  4:1 it has no time to tell a row's age by.
SELECT a FROM ods.flight -- front: partition_by: day
  4:1 it has no time to partition by day.
SELECT a FROM ods.flight -- front: order_by: [b]
  4:1 order_by names 'b', which is not among its columns.
SELECT a, f FROM ods.flight -- front: order_by: [f]
  4:1 order_by names 'f', whose type is Float64.
SELECT a, m FROM ods.flight -- front: lookup: [m]
  4:1 lookup names 'm', whose type is Decimal(10, 2).
SELECT a FROM ods.flight -- front: columns: { b: what }
  4:12 there is no column 'b'.
SELECT s, count() AS n FROM ods.flight GROUP BY s -- front: order_by: [n]
  4:1 order_by names 'n', which is not among its group keys.
SELECT a FROM ods.flight -- front: refresh: { every: 1 ms }
  4:12 it would be refreshed more often than once a second.
SELECT rand() AS r FROM ods.flight -- front: refresh: { every: 1 hour }
  6:8 rand answers differently for the same rows.
SELECT a FROM url('http://localhost:1', 'CSV', 'a Int64') -- front: refresh: { every: 1 hour }
  6:15 it reads the table function url.
SELECT a, a FROM ods.flight -- front: refresh: { every: 1 hour }
  6:1 column 2 would be named 'a' again.
SELECT a + 1 FROM ods.flight -- front: refresh: { every: 1 hour }
  6:1 column 1 would be named 'plus(a, 1)'.
SELECT a FROM dwa.above -- front: refresh: { every: 1 hour }
  6:15 a model of dwf reads dwa.above, a layer above it.
`;

/** SELECTs with the place and the problem that each is refused with. */
export const REFUSED: readonly (readonly [string, string])[] = TEXT.trim()
  .split(/\n(?! )/)
  .map((pair) => pair.split("\n  ") as [string, string]);
