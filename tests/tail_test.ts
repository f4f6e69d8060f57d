/**
 * Tails: where they begin, what they show as it arrives, and that nothing of them grows, is skipped or stays open.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { OffsetGap, RecordWriter } from "@weir/connectors";
import { app, type Door } from "@weir/web";
import { Effect } from "effect";
import { until } from "./door_process.ts";
import { openWorld, type World } from "./world.ts";

const SOURCE = `/*---
kind: source
doc: Anything.
partitions: 2
retention: { age: 10000 days }
---*/
CREATE TABLE ods.thing (id String)`;

/** Records of partition 0, a minute apart; the last one is no text. */
const AT_MS = Date.parse("2026-01-01T00:00:00Z");
const VALUES = ["zero", "one", "two", "three", "x".repeat(20_000)];

interface Line {
  readonly partition: number;
  readonly offset: number;
  readonly value: string | null;
  readonly gap?: { readonly from: number; readonly to: number; readonly message: string };
}

setDefaultTimeout(30_000);
let world: World;
beforeAll(async () => {
  world = await openWorld();
  await world.apply({ thing: SOURCE });
  await append(0, VALUES);
});
afterAll(() => world.close());

async function append(partition: number, values: readonly (string | Uint8Array | null)[]): Promise<void> {
  const records = new RecordWriter();
  for (const [index, value] of values.entries()) {
    const bytes = value === null ? null : Buffer.from(value as string);
    records.add({ key: Buffer.from(`k${index}`), value: bytes, timestampMs: AT_MS + index * 60_000 });
  }
  await Effect.runPromise(world.door.log.append([{ topic: "thing", partition, records }]));
}

function request(query: string, { door = world.door, signal }: { door?: Door; signal?: AbortSignal } = {}) {
  const headers = { authorization: `Bearer ${world.token}` };
  return Promise.resolve(
    app(door).request(`/v1/admin/sources/thing/tail${query}`, { headers, ...(signal === undefined ? {} : { signal }) }),
  );
}

/** All lines of a tail that ends by itself. */
async function lines(query: string, door?: Door): Promise<readonly Line[]> {
  const answer = await request(query, door === undefined ? {} : { door });
  return (await answer.text()).split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
}

/** A tail's lines, one by one. */
function reader(answer: Response) {
  const stream = answer.body!.getReader();
  const waiting: Line[] = [];
  return {
    next: async (): Promise<Line | undefined> => {
      for (;;) {
        if (waiting.length > 0) return waiting.shift();
        const { done, value } = await stream.read();
        if (done) return undefined;
        const text = new TextDecoder().decode(value);
        waiting.push(...text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line])));
      }
    },
    cancel: () => stream.cancel(),
  };
}

describe("GET /v1/admin/sources/<source>/tail", () => {
  test.each([
    ["from the earliest record", "from=earliest&limit=2", [0, 1]],
    ["so many records back", "from=3&limit=3", [2, 3, 4]],
    ["further back than there is anything", "from=900&limit=2", [0, 1]],
    ["from a time", "from=2026-01-01T00:02:00Z&limit=3", [2, 3, 4]],
    ["from between two times", "from=2026-01-01T00:01:30Z&limit=1", [2]],
    ["from before everything", "from=2000-01-01T00:00:00Z&limit=1", [0]],
  ])("begins %s", async (_, query, offsets) => {
    expect((await lines(`?partition=0&${query}`)).map(({ offset }) => offset)).toEqual(offsets);
  });

  test("shows where a record lies, its time, its key and its value, cut at a bound", async () => {
    const [first] = await lines("?from=earliest&limit=1");
    expect(first as object).toEqual({
      ...{ partition: 0, offset: 0, epoch: 1, at: "2026-01-01T00:00:00.000Z" },
      ...{ key: "k0", value: "zero", value_bytes: 4 },
    });
    const [last] = await lines("?partition=0&from=1&limit=1");
    expect(last as object).toMatchObject({ value: "x".repeat(16_384), value_bytes: 20_000, value_is_cut: true });
  });

  test("shows what arrives, of all partitions, whatever it is", async () => {
    const { next, cancel } = reader(await request(""));
    const seen = next();
    await append(1, ["new", Buffer.from([0xff, 0xfe]), null]);
    expect([await seen, await next(), await next()]).toMatchObject([
      { partition: 1, offset: 0, value: "new" },
      { partition: 1, offset: 1, value: "//4=", value_encoding: "base64" },
      { partition: 1, offset: 2, value: null, value_bytes: null },
    ]);
    await cancel();
  });

  test("says what retention took before it was read, and goes on behind it", async () => {
    let isTrimmed = false;
    const { log } = world.door;
    const door: Door = {
      ...world.door,
      log: {
        ...log,
        read: (at) => {
          if (isTrimmed || at.partition !== 0) return log.read(at);
          isTrimmed = true;
          return Effect.fail(new OffsetGap({ ...at, asked: at.offset, earliest: 3, latest: 5 }));
        },
      },
    };
    const [gap, next] = await lines("?partition=0&from=earliest&limit=1", door);
    expect(gap).toMatchObject({ gap: { from: 0, to: 3, message: expect.stringContaining("records 0 to 2") } });
    expect(next).toMatchObject({ offset: 3, value: "three" });
  });

  test.each([
    ["?from=yesterday", 400],
    ["?partition=2", 400],
    ["?partition=x", 400],
    ["?limit=0", 400],
  ])("refuses %s", async (query, status) => expect((await request(query)).status).toBe(status));

  test("is for administrators", async () => {
    expect((await world.request("/v1/admin/sources/thing/tail")).status).toBe(401);
  });
});

describe("bounds", () => {
  test("reads only as fast as the lines are taken", async () => {
    let reads = 0;
    const { log } = world.door;
    const read: typeof log.read = (at) => {
      reads += 1;
      return log.read(at);
    };
    const { next, cancel } = reader(
      await request("?from=earliest", { door: { ...world.door, log: { ...log, read } } }),
    );
    // Meanwhile another tail comes and goes.
    expect(await lines("?partition=0&from=earliest&limit=5")).toHaveLength(5);
    expect(reads).toBe(0);
    await next();
    const after = reads;
    expect(await lines("?partition=0&from=earliest&limit=5")).toHaveLength(5);
    expect(reads).toBe(after);
    await cancel();
  });

  test("16: refuses a seventeenth tail, and takes it when another one ended", async () => {
    const web = app(world.door);
    const headers = { authorization: `Bearer ${world.token}` };
    const open = () => Promise.resolve(web.request("/v1/admin/sources/thing/tail", { headers }));
    const tails = await Promise.all(Array.from({ length: 16 }, open));
    expect(tails.map(({ status }) => status)).toEqual(tails.map(() => 200));
    expect((await open()).status).toBe(503);
    // Nobody reads what follows a HEAD, so it takes no place.
    expect((await web.request("/v1/admin/sources/thing/tail", { method: "HEAD", headers })).status).toBe(200);
    await tails[0]!.body!.cancel();
    const again = await open();
    expect(again.status).toBe(200);
    await Promise.all([...tails.slice(1), again].map(({ body }) => body!.cancel()));
  });

  test.each(["the client goes", "the door closes"])("ends when %s", async (what) => {
    const [client, door] = [new AbortController(), new AbortController()];
    const answer = await request("", { door: { ...world.door, closing: door.signal }, signal: client.signal });
    let isOver = false;
    const over = reader(answer)
      .next()
      .then((line) => {
        isOver = true;
        return line;
      });
    (what === "the door closes" ? door : client).abort();
    await until("its end", () => isOver, { holds: (seen) => seen, withinMs: 5_000 });
    expect(await over).toBeUndefined();
  });
});
