/**
 * A record batch that a broker's disk has damaged: its partition stops, alone, until the batch is removed and accepted as
 * lost.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaLog, Log, RecordWriter } from "@weir/connectors";
import { kafkaFor, startBroker, type TestBroker } from "@weir/connectors/testing";
import { Effect } from "effect";
import { type DoorProcess, startProcess, temporaryFolder, until } from "./door_process.ts";
import { applied, JSON_TYPE } from "./models_fixture.ts";

const jars = kafkaFor("tests/damage_test.ts");
const folder = temporaryFolder("damage");

const SOURCE = `/*---
kind: source
doc: Readings.
partitions: 2
---*/
CREATE TABLE ods.reading (id String)`;

/** A batch's base offset and length, before its length is counted. */
const PREFIX_BYTES = 12;

/** Changes the last byte of a file's batch, as a bad disk does. */
function damage(file: string, batch: number): void {
  const bytes = readFileSync(file);
  let start = 0;
  for (let n = 0; n < batch; n++) start += PREFIX_BYTES + bytes.readInt32BE(start + 8);
  const last = start + PREFIX_BYTES + bytes.readInt32BE(start + 8) - 1;
  bytes[last] = bytes[last]! ^ 0xff;
  writeFileSync(file, bytes);
}

describe.skipIf(jars === undefined)("a record batch that cannot be read", () => {
  let broker: TestBroker;
  let door: DoorProcess | undefined;
  const start = () => startProcess({ dataDir: join(folder.path, "data"), env: { KAFKA_BROKERS: broker.address } });
  beforeAll(async () => {
    broker = await startBroker(jars!);
  }, 60_000);
  afterAll(async () => {
    await door?.stop();
    await broker?.stop();
    folder.remove();
  });

  /** Appends a batch of two records. */
  const append = (partition: number, names: readonly [string, string]) => {
    const records = new RecordWriter();
    for (const id of names)
      records.add({ key: null, value: Buffer.from(JSON.stringify({ id })), timestampMs: Date.now() });
    const appending = Effect.flatMap(Log, (log) => log.append([{ topic: "reading", partition, records }]));
    return Effect.runPromise(Effect.provide(appending, kafkaLog({ brokers: [broker.address] })));
  };
  const ids = async (of: DoorProcess) =>
    (await of.sql<{ id: string }>("SELECT id FROM ods.reading ORDER BY id")).map(({ id }) => id);
  const accept = (of: DoorProcess) =>
    of.post("/v1/admin/sources/reading/position", JSON.stringify({ accept_gap: true }), JSON_TYPE);

  test("stops its partition alone; removed from the topic it is accepted as lost, and landing goes on", async () => {
    door = await start();
    await applied(door, { "ods/reading.sql": SOURCE });
    await door.stop();
    for (const names of [
      ["a", "b"],
      ["c", "d"],
      ["e", "f"],
    ] as const)
      await append(0, names);
    await append(1, ["x", "y"]);
    damage(join(broker.dataDir, "reading-0", "00000000000000000000.log"), 1);

    door = await start();
    const running = door;
    await until("what can be read", () => ids(running), { holds: (seen) => seen.length === 4, withinMs: 30_000 });
    expect(await ids(running)).toEqual(["a", "b", "x", "y"]);
    const ready = await until("the stop", () => running.get("/readyz"), {
      holds: ({ status }) => status === 503,
      withinMs: 30_000,
    });
    expect(await ready.json()).toMatchObject({ reasons: ["table/ods.reading is stopped"] });
    const status = await (await running.get("/v1/admin/status")).text();
    for (const word of [
      "'reading'/0 at 2",
      "the batch of offsets 2 to 3 does not match its checksum",
      "kafka-delete-records",
    ])
      expect(status).toContain(word);
    expect((await accept(running)).status).toBe(409); // it is still there: somebody may restore it

    await broker.deleteRecords({ topic: "reading", partition: 0, before: 4 });
    const accepted = await accept(running);
    expect(await accepted.json()).toMatchObject({ gaps: [{ partition: 0, from: 2, to: 4 }] });
    await until("the rest", () => ids(running), { holds: (seen) => seen.length === 6, withinMs: 30_000 });
    expect(await ids(running)).toEqual(["a", "b", "e", "f", "x", "y"]);
    await append(0, ["g", "h"]);
    await until("what comes next", () => ids(running), { holds: (seen) => seen.length === 8, withinMs: 30_000 });
  }, 120_000);

  test("stops its partition alone if it has landed already, too: nobody can compare its last record", async () => {
    await door!.stop();
    await append(1, ["z", "zz"]);
    await append(0, ["i", "j"]);
    damage(join(broker.dataDir, "reading-1", "00000000000000000000.log"), 0);
    door = await start();
    const running = door;
    await until("the other partition", () => ids(running), { holds: (seen) => seen.length === 10, withinMs: 30_000 });
    expect(await ids(running)).not.toContain("z");
    const standing = await (await running.get("/v1/admin/sources/reading/position")).json();
    expect(standing).toMatchObject({
      partitions: [
        { stopped: null },
        { stopped: expect.stringContaining("the batch of offsets 0 to 1 does not match") },
      ],
    });

    await broker.deleteRecords({ topic: "reading", partition: 1, before: 2 });
    await running.stop();
    door = await start();
    const again = door;
    await until("the rest", () => ids(again), { holds: (seen) => seen.length === 12, withinMs: 30_000 });
  }, 120_000);
});
