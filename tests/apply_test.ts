/**
 * Applying definitions to a running platform: what changes, what is refused, and that no event is lost meanwhile.
 *
 *   sender ──events all the while──▶ door ◀──POST /v1/admin/definitions── test ──▶ audit
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Effect } from "effect";
import { until } from "./door_process.ts";
import { JSON_TYPE } from "./models_fixture.ts";
import { Sender } from "./sender.ts";
import { openWorld, type World } from "./world.ts";

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** A definition's text; every test has a source of its own. */
function source(name: string, { columns = "id String, n UInt32", front = "", doc = "Numbers." } = {}): string {
  return `/*---\nkind: source\ndoc: ${doc}\nkey: id\n${front}---*/\nCREATE TABLE ods.${name} (\n  ${columns}\n)\n`;
}

interface Answer {
  readonly changes: readonly Readonly<Record<string, unknown>>[];
  readonly errors: readonly Readonly<Record<string, unknown>>[];
  readonly conflicts?: readonly unknown[];
  readonly catalog?: number;
  readonly done: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string; readonly at: unknown };
}

/** Applies texts by name and answers what the door said. */
async function apply(
  sources: Readonly<Record<string, string>>,
  options: object = {},
): Promise<{ status: number; answer: Answer }> {
  const files = Object.entries(sources).map(([name, text]) => ({ path: `ods/${name}.sql`, text }));
  const response = await world.post("/v1/admin/definitions", JSON.stringify({ files, ...options }), JSON_TYPE);
  return { status: response.status, answer: (await response.json()) as Answer };
}

interface Described {
  readonly name: string;
  readonly version: number;
  readonly text: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** What GET /v1/admin/definitions says of one source. */
async function inForce(name: string): Promise<Described | undefined> {
  const response = await world.request("/v1/admin/definitions", {
    headers: { authorization: `Bearer ${world.token}` },
  });
  expect(response.status).toBe(200);
  const { definitions } = (await response.json()) as { definitions: readonly Described[] };
  return definitions.find((one) => one.name === name);
}

/** The columns of the view that people read, without Weir's own. */
async function viewColumns(name: string): Promise<readonly string[]> {
  const rows = await world.sql<{ name: string; type: string }>(
    `SELECT name, type FROM system.columns WHERE database = 'ods' AND table = '${name}' AND NOT startsWith(name, '_') ORDER BY position`,
  );
  return rows.map((row) => `${row.name} ${row.type}`);
}

/** Physical tables behind a source, with their identity. */
function physical(name: string): Promise<readonly { name: string; uuid: string }[]> {
  return world.sql(
    `SELECT name, uuid FROM system.tables WHERE database = 'weir_state' AND startsWith(name, 'ods__${name}__v') ORDER BY name`,
  );
}

/** Everything that the sender was promised is there, once. */
async function audit(name: string, { promised }: Sender): Promise<void> {
  const { events, sum } = promised;
  const look = () =>
    world.sql<{ rows: string }>(
      `SELECT count() AS rows, uniqExact(id) AS ids, uniqExact(_epoch, _partition, _offset) AS records, sum(n) AS sum FROM ods.${name}`,
    );
  const holds = ([row]: Awaited<ReturnType<typeof look>>) => Number(row.rows) >= events;
  const seen = await until(`${events} rows in ods.${name}`, look, { holds, withinMs: 20_000 });
  expect(seen).toEqual([{ rows: `${events}`, ids: `${events}`, records: `${events}`, sum: `${sum}` }] as never);
}

/** Sends from several senders while `change` happens, and a good while before and after. */
async function whileSending(name: string, change: (sender: Sender) => Promise<void>): Promise<Sender> {
  const sender = new Sender(world, { source: name, senders: 3, batch: 20 });
  await sender.sent(200);
  await change(sender);
  await sender.sent(sender.promised.events + 200);
  await sender.stop();
  return sender;
}

describe("POST /v1/admin/definitions", () => {
  test("makes a new source, which takes events at once; the same text again changes nothing", async () => {
    const text = source("fresh");
    expect(await apply({ fresh: text })).toMatchObject({
      status: 200,
      answer: {
        changes: [{ kind: "create", name: "ods.fresh", version: 1, destructive: false }],
        errors: [],
        done: true,
      },
    });
    const posted = await world.post("/v1/ingest/fresh?wait=1", '{"id":"a","n":1}', JSON_TYPE);
    expect(posted.status).toBe(200);
    const before = [await inForce("fresh"), await physical("fresh")];
    expect(await apply({ fresh: text })).toEqual({
      status: 200,
      answer: {
        changes: [{ kind: "same", name: "ods.fresh", version: 1, destructive: false, notes: [], dependents: [] }],
        errors: [],
        conflicts: [],
        catalog: expect.any(Number),
        done: true,
      },
    });
    expect([await inForce("fresh"), await physical("fresh")]).toEqual(before);
    expect(await world.sql("SELECT id, n FROM ods.fresh")).toEqual([{ id: "a", n: 1 }]);
  });

  test("keeps the table when only the description, the retention or the number of partitions changes", async () => {
    await apply({ described: source("described", { front: "partitions: 2\n" }) });
    const before = await physical("described");
    const text = source("described", {
      doc: "Other words.",
      front: "partitions: 4\nretention: { age: 2 hours, size: 1 MiB }\n",
    });
    const sender = await whileSending("described", async () => {
      const { answer } = await apply({ described: text });
      expect(answer).toMatchObject({ changes: [{ kind: "describe", version: 1, destructive: false }], done: true });
    });
    await audit("described", sender);
    expect(await physical("described")).toEqual(before);
    expect(await inForce("described")).toMatchObject({ doc: "Other words.", partitions: 4, version: 1, text });
    const topic = await Effect.runPromise(world.door.log.topic("described"));
    expect(topic).toMatchObject({
      partitions: 4,
      retention: { ageMsMax: 7_200_000, bytesMax: 2 ** 20 },
    });
    const [view] = await world.sql("SELECT comment FROM system.tables WHERE database = 'ods' AND name = 'described'");
    expect(view).toEqual({ comment: "Other words." });
  });

  test("says in a dry run what would change, and changes nothing", async () => {
    await apply({ planned: source("planned") });
    const columns = "id String, n UInt32, note Nullable(String)";
    const { status, answer } = await apply({ planned: source("planned", { columns }) }, { dry_run: true });
    expect({ status, done: answer.done, change: answer.changes[0] }).toMatchObject({
      status: 200,
      done: false,
      change: { kind: "rebuild", version: 2, destructive: false, notes: ["adds note Nullable(String)"] },
    });
    expect(await viewColumns("planned")).toEqual(["id String", "n UInt32"]);
    expect(await physical("planned")).toHaveLength(1);
  });
});

describe("a rebuild while events arrive", () => {
  test("adds a Nullable column: old rows have NULL, new ones their value, none is lost or doubled", async () => {
    await apply({ wider: source("wider") });
    let oldRows = 0;
    const sender = await whileSending("wider", async (sender) => {
      const { answer } = await apply({
        wider: source("wider", { columns: "id String, note Nullable(String), n UInt32" }),
      });
      expect(answer).toMatchObject({ changes: [{ kind: "rebuild", version: 2 }], done: true });
      oldRows = await sender.pausedWith({ note: "new" });
    });
    await audit("wider", sender);
    expect(await viewColumns("wider")).toEqual(["id String", "note Nullable(String)", "n UInt32"]);
    const rows = await world.sql("SELECT note, count() AS rows FROM ods.wider GROUP BY note ORDER BY note NULLS FIRST");
    expect(rows).toEqual([
      { note: null, rows: String(oldRows) },
      { note: "new", rows: String(sender.promised.events - oldRows) },
    ]);
  });

  test("refuses no event meanwhile", async () => {
    await apply({ served: source("served") });
    const sender = await whileSending("served", async () => {
      await apply({ served: source("served", { columns: "id String, note Nullable(String), n UInt32" }) });
    });
    expect(sender.refused).toEqual([]);
  });

  test("changes a type that every value fits", async () => {
    await apply({ grown: source("grown", { columns: "id String, n UInt8" }) });
    const sender = await whileSending("grown", async () => {
      expect((await apply({ grown: source("grown") })).answer).toMatchObject({
        changes: [{ kind: "rebuild", version: 2 }],
        done: true,
      });
    });
    await audit("grown", sender);
    expect(await viewColumns("grown")).toEqual(["id String", "n UInt32"]);
    const large = await world.post("/v1/ingest/grown?wait=1", '{"id":"large","n":4294967295}', JSON_TYPE);
    expect(large.status).toBe(200);
    expect(await world.sql("SELECT n FROM ods.grown WHERE id = 'large'")).toEqual([{ n: 4_294_967_295 }]);
  });

  test.each([
    ["would lose digits", { name: "exact", from: "Float64", to: "Decimal(10, 2)", values: [64.32], rows: "1 row" }],
    ["is null", { name: "rated", from: "Nullable(UInt8)", to: "UInt8", values: [null, null, 5], rows: "2 rows" }],
  ])("fails when a value %s", async (_, { name, from, to, values, rows }) => {
    const text = (type: string) => ({ [name]: source(name, { columns: `id String, n UInt32,\n  x ${type}` }) });
    await apply(text(from));
    for (const [id, x] of values.entries())
      await world.post(`/v1/ingest/${name}?wait=1`, JSON.stringify({ id: `${id}`, n: 1, x }), JSON_TYPE);
    expect((await apply(text(to))).answer.error).toEqual({
      code: "definition_invalid",
      message: `Cannot change column 'x': it holds values that ${to} does not take, in ${rows}.`,
      hint: expect.stringContaining("Keep the old type"),
      at: { file: `ods/${name}.sql`, line: 8, column: 5 },
    });
    expect(await world.sql(`SELECT x FROM ods.${name} ORDER BY id`)).toEqual(values.map((x) => ({ x })));
  });

  test("refuses a codec that the engine does not know, and takes the corrected definition", async () => {
    const { answer } = await apply({ coded: source("coded", { columns: "id String CODEC(Foo), n UInt32" }) });
    expect(answer.error?.message).toContain("Foo");
    expect(await apply({ coded: source("coded") })).toMatchObject({ status: 200, answer: { done: true } });
    expect((await world.post("/v1/ingest/coded?wait=1", '{"id":"a","n":1}', JSON_TYPE)).status).toBe(200);
  });

  test("fails when a value does not fit: the old definition stays in force and events go on landing", async () => {
    const text = source("kept");
    await apply({ kept: text });
    await world.post("/v1/ingest/kept?wait=1", '{"id":"large","n":300}', JSON_TYPE);
    const sender = await whileSending("kept", async () => {
      expect(await apply({ kept: source("kept", { columns: "id String, n UInt8" }) })).toEqual({
        status: 422,
        answer: {
          error: {
            code: "definition_invalid",
            message: expect.stringMatching(
              /^Cannot change column 'n': it holds values that UInt8 does not take, in \d+ rows?\.$/,
            ),
            hint: expect.stringContaining("still in force"),
            at: { file: "ods/kept.sql", line: 7, column: 16 },
          },
        } as never,
      });
    });
    sender.promised.events += 1;
    sender.promised.sum += 300;
    await audit("kept", sender);
    expect(await inForce("kept")).toMatchObject({ version: 1, text });
    expect(await viewColumns("kept")).toEqual(["id String", "n UInt32"]);
    const fixed = await apply({ kept: source("kept", { columns: "id String, n UInt16" }) });
    expect(fixed.answer).toMatchObject({ changes: [{ kind: "rebuild", version: 2 }], done: true });
    await audit("kept", sender);
  });

  test("drops a column only when that is allowed", async () => {
    const text = source("narrow", { columns: "id String, n UInt32, note Nullable(String)" });
    await apply({ narrow: text });
    await world.post("/v1/ingest/narrow?wait=1", '{"id":"noted","n":5,"note":"x"}', JSON_TYPE);
    const sender = await whileSending("narrow", async () => {
      const refused = await apply({ narrow: source("narrow") });
      expect(refused).toMatchObject({
        status: 409,
        answer: {
          error: { code: "destructive", hint: expect.stringContaining("allow_destructive"), at: "ods.narrow" },
          changes: [{ kind: "rebuild", destructive: true, notes: ["drops note and its values"] }],
          done: false,
        },
      });
      expect(await inForce("narrow")).toMatchObject({ version: 1, text });
      const allowed = await apply({ narrow: source("narrow") }, { allow_destructive: true });
      expect(allowed).toMatchObject({
        status: 200,
        answer: { changes: [{ version: 2, destructive: true }], done: true },
      });
    });
    sender.promised.events += 1;
    sender.promised.sum += 5;
    await audit("narrow", sender);
    expect(await viewColumns("narrow")).toEqual(["id String", "n UInt32"]);
  });
});

describe("what cannot be applied", () => {
  const columns = "id String, n UInt32";

  test.each([
    ["another topic", { front: "topic: other\n" }, "topic would change", "Define a new source for another topic."],
    [
      "fewer partitions",
      { front: "partitions: 1\n" },
      "4 partitions and would have 1",
      "Partitions can only become more.",
    ],
    [
      "a new column without NULL",
      { columns: `${columns}, x UInt8` },
      "new column x UInt8 has no value",
      "Make it Nullable.",
    ],
  ])("%s is refused with a hint", async (_, change, message, hint) => {
    const text = source("firm", { front: "partitions: 4\n" });
    await apply({ firm: text });
    const { status, answer } = await apply({ firm: source("firm", change) }, { allow_destructive: true });
    expect({ status, error: answer.error, done: answer.done }).toEqual({
      status: 409,
      error: { code: "change_refused", message: expect.stringContaining(message), hint, at: "ods.firm" },
      done: false,
    });
    expect(await inForce("firm")).toMatchObject({ text, version: 1 });
  });

  test.each([
    ["an unknown type", source("broken", { columns: "id String,\n  n Flaot" }), 8, 5, "'Flaot'"],
    ["a key that is no column", source("broken", { columns: "name String" }), 4, 1, "'id' as key"],
    ["an unknown option", source("broken", { front: "colour: red\n" }), 5, 1, "colour"],
    ["a column twice", source("broken", { columns: "id String, id String" }), 7, 14, "declared twice"],
    ["no front matter", "CREATE TABLE ods.broken (id String)", 1, 1, "first line"],
    ["another name than its file's", source("other"), 6, 18, "'broken.sql'"],
  ])(
    "%s is answered with file, line and column, and nothing of the request is applied",
    async (_, text, line, column, says) => {
      const { status, answer } = await apply({ bystander: source("bystander"), broken: text });
      const place = { file: "ods/broken.sql", line, column };
      expect({ status, done: answer.done, error: answer.error, errors: answer.errors }).toEqual({
        status: 422,
        done: false,
        error: {
          code: "definition_invalid",
          message: expect.stringContaining(says),
          hint: expect.any(String),
          at: place,
        },
        errors: [{ ...place, message: expect.stringContaining(says), hint: expect.any(String) }],
      });
      expect([await inForce("broken"), await inForce("bystander")]).toEqual([undefined, undefined]);
      expect(await physical("bystander")).toEqual([]);
    },
  );

  test("two files of one source are refused: each would replace the other's table", async () => {
    const text = source("twice");
    await apply({ twice: text });
    const files = ["ods/twice.sql", "more/ods/twice.sql"].map((path) => ({ path, text: `${text}\n` }));
    const response = await world.post("/v1/admin/definitions", JSON.stringify({ files }), JSON_TYPE);
    const { error } = (await response.json()) as Answer;
    expect({ status: response.status, code: error?.code, at: error?.at }).toEqual({
      status: 422,
      code: "invalid_body",
      at: "/files/1/path",
    });
    expect(await inForce("twice")).toMatchObject({ text });
  });
});

describe("GET /v1/admin/definitions", () => {
  test("lists what is in force, with its text", async () => {
    const text = source("listed", {
      columns: "id String COMMENT 'who', n UInt32",
      front: "partitions: 2\nunknown: ignore\n",
    });
    await apply({ listed: text });
    expect(await inForce("listed")).toEqual({
      kind: "source",
      layer: "ods",
      name: "listed",
      doc: "Numbers.",
      topic: "listed",
      partitions: 2,
      key: "id",
      event_time: null,
      unknown: "ignore",
      columns: [
        { name: "id", type: "String", comment: "who" },
        { name: "n", type: "UInt32", comment: "" },
      ],
      version: 1,
      catalog: expect.any(Number),
      state: "active",
      note: "",
      author: "admin",
      applied_at: expect.any(String),
      file: "ods/listed.sql",
      text,
    } as never);
  });
});
