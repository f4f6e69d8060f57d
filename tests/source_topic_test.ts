/**
 * The topic of a source that others had before it: it stays theirs.
 *
 * @module
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Effect } from "effect";
import { apply } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const source = (front: string) =>
  `/*---\nkind: source\ndoc: Numbers.\nkey: id\ntopic: theirs\n${front}---*/\nCREATE TABLE ods.own (id String, n UInt32)\n`;

test("a topic that was there stays as it is, and a new source never deletes what is in it", async () => {
  const { log } = world.door;
  const applied = async (front: string) => (await apply(world, { "ods/own.sql": source(front) })).answer;
  const topic = () => Effect.runPromise(log.topic("theirs"));
  const retention = { ageMsMax: 30 * 86_400_000 };
  const theirs = await Effect.runPromise(log.createTopic({ name: "theirs", partitions: 3, retention }));
  expect(await applied("retention: { age: 1 day }\n")).toMatchObject({
    error: { message: expect.stringContaining("Cannot shorten the retention of topic 'theirs'"), at: { line: 6 } },
  });
  expect(await topic()).toEqual(theirs);
  expect(await applied("")).toMatchObject({ done: true });
  expect(await topic()).toEqual(theirs);
  expect(await applied("partitions: 2\n")).toMatchObject({
    error: { message: "Cannot make topic 'theirs' smaller: it has 3 partitions." },
  });
  expect(await applied("partitions: 4\nretention: { age: 60 days }\n")).toMatchObject({ done: true });
  expect(await topic()).toEqual({ ...theirs, partitions: 4, retention: { ageMsMax: 60 * 86_400_000 } });
});
