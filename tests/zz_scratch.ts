import { engine } from "./conform_engine.ts";
const e = await engine();
const show = async (sql: string, settings?: any) => { try { console.log(sql.slice(0,150), "=>", (await e.run(sql, {settings})).trim()); } catch (x: any) { console.log(sql.slice(0,150), "!!", String(x.message).slice(0,300)); } };
await e.run("CREATE DATABASE t ENGINE=Atomic");
await e.run("CREATE FUNCTION f AS (x) -> x + 1");
const W = "SETTINGS non_replicated_deduplication_window = 100000";
await e.run(`CREATE TABLE t.a (id UInt64, g UInt32) ENGINE=MergeTree ORDER BY id ${W}`);
await e.run(`CREATE TABLE t.b (id UInt64, y UInt64) ENGINE=MergeTree ORDER BY id ${W}`);
await e.run(`CREATE TABLE t.c (k UInt64, n SimpleAggregateFunction(sum, UInt64)) ENGINE=AggregatingMergeTree ORDER BY k ${W}`);
await e.run(`CREATE MATERIALIZED VIEW t.bc TO t.c AS SELECT y % 10 AS k, count() AS n FROM t.b GROUP BY k`);
await e.run(`CREATE MATERIALIZED VIEW t.ab TO t.b AS SELECT id, f(g) AS y FROM t.a`);
await show("SHOW CREATE t.ab");
await e.run("INSERT INTO t.a SELECT number, number FROM numbers(1000000)");
await e.run("TRUNCATE TABLE t.b"); await e.run("TRUNCATE TABLE t.c");
await e.run("CREATE TABLE t.snap AS t.a");
await e.run("ALTER TABLE t.snap MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1");
await e.run("ALTER TABLE t.snap MODIFY COMMENT '12345'");
await e.run("ALTER TABLE t.snap ATTACH PARTITION ALL FROM t.a");
await show("SELECT comment FROM system.tables WHERE database='t' AND name='snap'");
await show("SELECT name, rows FROM system.parts WHERE database='t' AND table='snap' AND active");
const S = { async_insert: 0, insert_deduplicate: 1, deduplicate_blocks_in_dependent_materialized_views: 1, materialized_views_ignore_errors: 0, max_insert_threads: 1, max_block_size: 1048449, max_insert_block_size: 1048449, min_insert_block_size_rows: 1048449, min_insert_block_size_bytes: 1073741824, insert_deduplication_token: "tok1" };
for (let i = 0; i < 3; i++) {
  await show("INSERT INTO t.b SELECT id, f(g) AS y FROM (SELECT * FROM t.snap WHERE (_part_offset >= 0 AND _part_offset < 500000))", S);
  await show("SELECT count(), uniqExact(id) FROM t.b"); await show("SELECT sum(n) FROM t.c");
}
// array join
await e.run(`CREATE TABLE t.d (id UInt64, y UInt64) ENGINE=MergeTree ORDER BY id ${W}`);
const S2 = { ...S, min_insert_block_size_rows: 2**50, min_insert_block_size_bytes: 0, insert_deduplication_token: "tok2" };
for (let i = 0; i < 2; i++) {
  await show("INSERT INTO t.d SELECT id, arrayJoin(range(10)) AS y FROM (SELECT * FROM t.snap WHERE (_part_offset >= 0 AND _part_offset < 500000))", S2);
  await show("SELECT count() FROM t.d"); await show("SELECT count(), groupArray((name,rows)) FROM system.parts WHERE database='t' AND table='d' AND level=0");
}
// refresh
await show("CREATE TABLE t.r (n UInt64) ENGINE=MergeTree ORDER BY n");
await show("CREATE MATERIALIZED VIEW t.rv REFRESH EVERY 1 HOUR TO t.r AS SELECT intDiv(1, 0) AS n FROM t.b");
await show("SYSTEM WAIT VIEW t.rv");
await show("SELECT * FROM system.view_refreshes FORMAT Vertical");
await show("CREATE MATERIALIZED VIEW t.rv2 REFRESH EVERY 1 HOUR TO t.r AS SELECT count() AS n FROM t.b WHERE sleepEachRow(0.00001)=0");
await show("SYSTEM WAIT VIEW t.rv2");
await show("SELECT * FROM t.r");
// fill view fails message on chunk
await e.run(`CREATE TABLE t.g (id Int64) ENGINE=MergeTree ORDER BY id ${W}`);
await e.run(`CREATE MATERIALIZED VIEW t.bg TO t.g AS SELECT intDiv(1, y-5) AS id FROM t.b`);
await show("INSERT INTO t.b SELECT id, f(g) AS y FROM (SELECT * FROM t.snap WHERE (_part_offset >= 0 AND _part_offset < 500))", {...S, insert_deduplication_token: "tok9"});
await show("DROP DATABASE t SYNC");
await e.stop();
