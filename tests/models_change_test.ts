/**
 * Changing definitions: conflicts, dry runs, what is refused and where, and APIs that answer all the while.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startProcess, temporaryFolder, until } from "./door_process.ts";
import { api, applied, apply, type File, inForce, JSON_TYPE, model, source } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

const MAIN = new URL("../web/main.ts", import.meta.url).pathname;

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld({ chunkRows: 50 });
});
afterAll(() => world.close());

const get = (path: string) => world.request(path, { headers: { authorization: `Bearer ${world.token}` } });
const place = (data: string, front = "") => ({
  path: "dim/spot.sql",
  text: `/*---\nkind: dimension\ndoc: Spots.\nkey: code\n${front}from: { file: spot.csv }\n---*/\nCREATE TABLE dim.spot ( code String, name String )\n`,
  data,
});

describe("a dry run", () => {
  test("says everything that would be made, and changes nothing at all", async () => {
    const everything = async () => [
      await world.sql(
        "SELECT database, name, uuid, toString(metadata_modification_time) AS at FROM system.tables WHERE database != 'system' ORDER BY ALL",
      ),
      await world.sql("SELECT name FROM system.functions WHERE origin != 'System' ORDER BY name"),
      await world.sql("SELECT count() AS rows FROM weir.definition"),
    ];
    const before = await everything();
    const files: File[] = [
      { path: "ods/dry.sql", text: source("dry") },
      {
        path: "functions/dry_double.sql",
        text: "/*---\nkind: function\ndoc: Twice.\n---*/\nCREATE FUNCTION dry_double AS (n) -> n * 2\n",
      },
      place("code,name\n1,One\n"),
      {
        path: "dim/dried.sql",
        text: "/*---\nkind: dimension\ndoc: Over a source of the same plan.\nkey: id\n---*/\nSELECT id, max(n) AS n FROM ods.dry GROUP BY id\n",
      },
      {
        path: "dwf/dry.sql",
        text: model(
          "SELECT dry_double(n) AS n, dictGet('dim.spot', 'name', toString(n)) AS spot, dictGet('dim.dried', 'n', id) AS most FROM ods.dry",
        ),
      },
      { path: "dwa/dry.sql", text: model("SELECT spot, sum(n) AS total FROM dwf.dry GROUP BY spot") },
      { path: "api/dry.sql", text: api("SELECT spot, total FROM dwa.dry") },
    ];
    const { status, answer } = await apply(world, files, { dry_run: true });
    expect({ status, done: answer.done, errors: answer.errors }).toEqual({ status: 200, done: false, errors: [] });
    expect(answer.changes.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      ...["create functions.dry_double", "create ods.dry", "create dim.spot", "create dim.dried"],
      ...["create dwf.dry", "create dwa.dry", "create api.dry"],
    ]);
    expect(answer.changes.find(({ name }) => name === "dim.spot")?.dependents).toEqual([
      "dwf.dry",
      "dwa.dry",
      "api.dry",
    ]);
    expect(await everything()).toEqual(before);
    await applied(world, files);
    const read = (await inForce(world, "dwf.dry")) as unknown as { reads: string[]; functions: string[] };
    expect({ reads: read.reads.toSorted(), functions: read.functions }).toEqual({
      reads: ["dim.dried", "dim.spot", "ods.dry"],
      functions: ["dry_double"],
    });
  });
});

describe("what cannot be applied", () => {
  beforeAll(async () => {
    await applied(world, {
      "ods/firm.sql": source("firm"),
      "dwf/firm.sql": model("SELECT id, n FROM ods.firm"),
      "api/firm.sql": api("SELECT id, n FROM dwf.firm"),
    });
  });

  test.each<[string, Record<string, string>, { file: string; line: number; column: number }, string]>([
    [
      "an unknown table",
      { "dwf/x.sql": model("SELECT id\nFROM ods.frim") },
      { file: "dwf/x.sql", line: 6, column: 6 },
      "there is no ods.frim",
    ],
    [
      "an unknown column",
      { "dwf/x.sql": model("SELECT id,\n  mn FROM ods.firm") },
      { file: "dwf/x.sql", line: 6, column: 3 },
      "mn",
    ],
    [
      "a read upwards",
      { "dwf/x.sql": model("SELECT id FROM dwa.y"), "dwa/y.sql": model("SELECT id FROM ods.firm") },
      { file: "dwf/x.sql", line: 5, column: 16 },
      "a layer above it",
    ],
    [
      "a circle",
      { "dwf/x.sql": model("SELECT id FROM dwf.y"), "dwf/y.sql": model("SELECT id FROM dwf.x") },
      { file: "dwf/y.sql", line: 5, column: 16 },
      "in a circle: dwf.x reads dwf.y reads dwf.x",
    ],
    [
      "a clock",
      { "dwf/x.sql": model("SELECT id, now() AS at FROM ods.firm") },
      { file: "dwf/x.sql", line: 5, column: 12 },
      "now",
    ],
    [
      "an API over a missing column",
      { "api/x.sql": api("SELECT m FROM dwf.firm") },
      { file: "api/x.sql", line: 5, column: 8 },
      "Unknown expression identifier `m`",
    ],
    [
      "an API whose parameter has the wrong type",
      { "api/x.sql": api("SELECT id,\n  plus(n, {text:String}) AS m FROM dwf.firm") },
      { file: "api/x.sql", line: 6, column: 3 },
      "Illegal types UInt32 and String of arguments of function plus",
    ],
    [
      "an API that is no SQL",
      { "api/x.sql": api("SELECT id FROM dwf.firm WHERE n > {n:UInt32}\n  ORDER id") },
      { file: "api/x.sql", line: 6, column: 9 },
      "the engine cannot read it at 'id'",
    ],
    [
      "an API over nothing",
      { "api/x.sql": api("SELECT m FROM dwf.nothing") },
      { file: "api/x.sql", line: 5, column: 15 },
      "dwf.nothing, which is not defined",
    ],
    [
      "a model that would break an API in force",
      { "dwf/firm.sql": model("SELECT id FROM ods.firm") },
      { file: "api/firm.sql", line: 5, column: 12 },
      "`n`",
    ],
    [
      "a source that would break a model in force",
      { "ods/firm.sql": source("firm", "id String, m Nullable(UInt32)") },
      { file: "dwf/firm.sql", line: 5, column: 12 },
      "n",
    ],
    [
      "a file of no folder",
      { "else/x.sql": model("SELECT 1") },
      { file: "else/x.sql", line: 1, column: 1 },
      "Cannot tell what this file defines",
    ],
  ])("%s", async (_, files, at, says) => {
    const { status, answer } = await apply(world, files, { allow_destructive: true });
    expect({ status, done: answer.done, error: answer.error }).toEqual({
      status: 422,
      done: false,
      error: {
        code: "definition_invalid",
        message: expect.stringContaining(says),
        hint: expect.stringMatching(/\.$/),
        at,
      },
    });
    expect(answer.errors[0]).toMatchObject({ ...at, message: expect.stringContaining(says) });
    expect(await inForce(world, "dwf.firm")).toMatchObject({ version: 1, text: model("SELECT id, n FROM ods.firm") });
    expect(await world.sql("SELECT name FROM system.tables WHERE name LIKE '%planned%'")).toEqual([]);
  });

  test("what follows from an error below is not told as another one", async () => {
    const { answer } = await apply(world, {
      "functions/twice.sql": "/*---\nkind: function\ndoc: It.\n---*/\nCREATE FUNCTION twice AS (n) -> file(n)\n",
      "dwf/called.sql": model("SELECT id, twice(n) AS n FROM ods.firm"),
      "dwf/wrong.sql": model("SELECT mn FROM ods.firm"),
      "dwa/above.sql": model("SELECT mn FROM dwf.wrong"),
      "api/above.sql": api("SELECT mn FROM dwa.above"),
      "api/alone.sql": api("SELECT m FROM dwf.firm"),
    });
    expect(answer.errors.map(({ file }) => file)).toEqual(["functions/twice.sql", "dwf/wrong.sql", "api/alone.sql"]);
    expect(answer.done).toBe(false);
  });

  test("two files for the same thing", async () => {
    const files = ["dwf/firm.sql", "more/dwf/firm.sql"].map((path) => ({
      path,
      text: model("SELECT n FROM ods.firm"),
    }));
    const { status, answer } = await apply(world, files);
    expect({ status, code: answer.error?.code, at: answer.error?.at }).toEqual({
      status: 422,
      code: "invalid_body",
      at: "/files/1/path",
    });
  });

  test("a dimension with a repeated key: its old rows stay", async () => {
    const old = await world.sql("SELECT * FROM dim.spot ORDER BY code");
    const { status, answer } = await apply(world, [place("code,name\n1,One\n2,Two\n1,Uno\n")]);
    expect({ status, error: answer.error }).toEqual({
      status: 422,
      error: {
        code: "definition_invalid",
        message: expect.stringContaining("its key code is repeated: '1' (2 rows)"),
        hint: expect.stringContaining("repeated: first"),
        at: { file: "dim/spot.sql", line: 1, column: 1 },
      },
    });
    expect(await world.sql("SELECT * FROM dim.spot ORDER BY code")).toEqual(old);
    expect(await world.sql("SELECT dictGet('dim.spot', 'name', '1') AS name")).toEqual([{ name: "One" }]);
  });
});

describe("an API", () => {
  const rows = (more = "") =>
    model(`SELECT id, n, toDecimal64(n / 4, 2) AS quarter, toInt64(n) AS wide${more} FROM ods.served`);

  test("answers typed rows within a second of its apply, and at every moment of its model's rebuild", async () => {
    await applied(world, { "ods/served.sql": source("served") });
    const events = Array.from({ length: 400 }, (_, n) => ({ id: `s${n}`, n }));
    await world.post("/v1/ingest/served?wait=1", JSON.stringify(events), JSON_TYPE);
    const text = api(
      "SELECT id, n, quarter, wide FROM dwf.served WHERE n >= {from:UInt32} ORDER BY n LIMIT 2",
      "params: { from: { default: 0 } }\n",
    );
    await applied(world, { "dwf/served.sql": rows(), "api/served.sql": text });
    const startedMs = performance.now();
    const answer = async () => {
      const response = await get("/v1/api/served?from=3");
      return { status: response.status, data: ((await response.json()) as { data: unknown }).data };
    };
    const expected = {
      status: 200,
      data: [
        { id: "s3", n: 3, quarter: "0.75", wide: "3" },
        { id: "s4", n: 4, quarter: "1", wide: "4" },
      ],
    };
    const holds = (seen: Awaited<ReturnType<typeof answer>>) => seen.status === 200;
    expect(await until("the API", answer, { holds, withinMs: 1_000 })).toEqual(expected);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    let answers = 0;
    let isRebuilding = true;
    const asking = Array.from({ length: 2 }, async () => {
      while (isRebuilding) {
        const from = Math.floor(Math.random() * 300);
        const response = await get(`/v1/api/served?from=${from}`);
        const { data } = (await response.json()) as { data?: readonly { id: string }[] };
        expect({ status: response.status, ids: data?.map(({ id }) => id) }).toEqual({
          status: 200,
          ids: [`s${from}`, `s${from + 1}`],
        });
        const [{ rows: found }] = await world.sql<{ rows: string }>("SELECT count() AS rows FROM dwf.served");
        expect(found).toBe("400");
        answers += 1;
      }
    });
    for (const more of [", 1 AS one", ""]) await applied(world, { "dwf/served.sql": rows(more) });
    isRebuilding = false;
    await Promise.all(asking);
    expect(answers).toBeGreaterThan(20);
    expect(await inForce(world, "dwf.served")).toMatchObject({ version: 3 });
  });
});

describe("weir plan, apply and pull", () => {
  const folder = temporaryFolder("commands");
  afterAll(folder.remove);

  test("one author's change is another's conflict, until it is pulled or overwritten", async () => {
    const door = await startProcess({ dataDir: join(folder.path, "data") });
    const weir = async (dir: string, ...args: string[]) => {
      const child = Bun.spawn([process.execPath, MAIN, ...args, "--project", dir], {
        env: { ...process.env, WEIR_URL: door.url, WEIR_TOKEN: door.token },
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, errors, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      return { code, out, errors };
    };
    const write = (dir: string, name: string, text: string) => {
      mkdirSync(join(dir, name, ".."), { recursive: true });
      writeFileSync(join(dir, name), text);
    };
    const [ann, bob] = [join(folder.path, "ann"), join(folder.path, "bob")];
    for (const dir of [ann, bob]) write(dir, "ods/shared.sql", source("shared"));
    const priced = source("priced").replace("doc:", "format: { kind: avro, schema: avro/priced.avsc }\ndoc:");
    const schema = '{"type":"record","name":"Priced","fields":[]}\n';
    write(ann, "ods/priced.sql", priced);
    write(ann, "ods/avro/priced.avsc", schema);
    write(ann, "dwf/shared.sql", model("SELECT id FROM ods.shared"));
    expect(await weir(ann, "apply")).toMatchObject({ code: 0, out: expect.stringContaining("applied") });
    expect(await weir(bob, "pull")).toMatchObject({ code: 0, out: expect.stringContaining("dwf/shared.sql") });
    expect(readFileSync(join(bob, "ods/priced.sql"), "utf8")).toBe(priced);
    expect(readFileSync(join(bob, "ods/avro/priced.avsc"), "utf8")).toBe(schema);
    write(bob, "dwf/shared.sql", model("SELECT id, n FROM ods.shared"));
    expect(await weir(bob, "apply")).toMatchObject({ code: 0 });
    write(ann, "dwf/shared.sql", model("SELECT n FROM ods.shared"));
    expect(await weir(ann, "apply")).toMatchObject({
      code: 1,
      errors: expect.stringContaining("dwf.shared: 'admin' changed it since"),
    });
    expect(await door.sql("SELECT name FROM system.columns WHERE database = 'dwf' AND table = 'shared'")).toHaveLength(
      2,
    );
    expect(await weir(ann, "pull")).toMatchObject({ code: 0 });
    expect(readFileSync(join(ann, "dwf/shared.sql"), "utf8")).toBe(model("SELECT id, n FROM ods.shared"));
    write(ann, "dwf/shared.sql", model("SELECT n FROM ods.shared"));
    expect(await weir(ann, "apply")).toMatchObject({ code: 0, out: expect.stringContaining("drops id") });
    write(bob, "dwf/shared.sql", model("SELECT id FROM ods.shared"));
    expect(await weir(bob, "apply", "--force")).toMatchObject({ code: 0 });
    const found = await door.sql<{ name: string }>(
      "SELECT name FROM system.columns WHERE database = 'dwf' AND table = 'shared'",
    );
    expect(found).toEqual([{ name: "id" }]);
    await door.stop();
  });

  test("a base before somebody's change is answered with 409, naming it", async () => {
    const { answer } = await apply(world, {
      "ods/held.sql": source("held"),
      "dwf/held.sql": model("SELECT id FROM ods.held"),
    });
    await applied(world, { "dwf/held.sql": model("SELECT n FROM ods.held") });
    const mine = { "dwf/held.sql": model("SELECT id, n FROM ods.held") };
    const refused = await apply(world, mine, { base: answer.catalog });
    expect({ status: refused.status, error: refused.answer.error, conflicts: refused.answer.conflicts }).toEqual({
      status: 409,
      error: {
        code: "conflict",
        message: expect.stringContaining("'admin' changed it"),
        hint: expect.stringContaining("weir pull"),
        at: "dwf.held",
      },
      conflicts: [{ name: "dwf.held", author: "admin", catalog: answer.catalog + 1 }],
    });
    expect(await applied(world, mine, { base: answer.catalog + 1 })).toEqual(["rebuild dwf.held"]);
  });
});
