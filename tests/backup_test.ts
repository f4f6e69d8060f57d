/**
 * Backups of a whole platform: exact while events come, restored into a new directory, refused when they are not whole.
 *
 *   sender ──▶ platform ──backup──▶ folder ──weir restore──▶ data directory ──▶ platform: every record of the folder's log once
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { startProcess, temporaryFolder, until } from "./door_process.ts";
import { api, apply, JSON_TYPE, model, source } from "./models_fixture.ts";
import { Sender } from "./sender.ts";
import { openWorld, type World } from "./world.ts";

setDefaultTimeout(120_000);

const MAIN = new URL("../web/main.ts", import.meta.url).pathname;
const DEFINITIONS = {
  "ods/event.sql": source("event"),
  "functions/halved.sql":
    "/*---\nkind: function\ndoc: Half of it.\n---*/\nCREATE FUNCTION halved AS (n) -> intDiv(n, 2)\n",
  "dim/parity.sql": `/*---
kind: dimension
doc: Even and odd.
key: rest
from: { file: parity.csv }
---*/
CREATE TABLE dim.parity ( rest UInt8, word String )
`,
  "dwf/event.sql": model(
    "SELECT id, n, halved(n) AS half, dictGet('dim.parity', 'word', toUInt8(n % 2)) AS word FROM ods.event",
  ),
  "dwa/parity.sql": model(
    "SELECT word, count() AS events, sum(n) AS total, sum(half) AS halves, uniqExact(id) AS ids FROM dwf.event GROUP BY word",
  ),
  "dwa/last.sql": model("SELECT max(n) AS n FROM dwf.event", { front: "refresh: { every: 1 hour }\n" }),
  "api/parity.sql": api("SELECT word, events FROM dwa.parity ORDER BY word"),
};
const PARITY = "rest,word\n0,even\n1,odd\n";
const FILES = Object.entries(DEFINITIONS).map(([path, text]) =>
  path.startsWith("dim/") ? { path, text, data: PARITY } : { path, text },
);

interface Made {
  readonly path: string;
  readonly rows: number;
  readonly records: Readonly<Record<string, number>>;
}

const folder = temporaryFolder("backup");
let world: World;

beforeAll(async () => {
  world = await openWorld({ path: join(folder.path, "data") });
  expect(await apply(world, FILES)).toMatchObject({ status: 200 });
});
afterAll(async () => {
  await world.close();
  folder.remove();
});

const backup = async (name?: string) => {
  const answer = await world.post("/v1/admin/backups", JSON.stringify({ name }), JSON_TYPE);
  return { status: answer.status, body: (await answer.json()) as Made & { error?: { message: string; hint: string } } };
};

async function weir(...args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, MAIN, ...args], { stdout: "pipe", stderr: "pipe", cwd: folder.path });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { status: await child.exited, out, err };
}

/** What the tables hold of the events, by every way in which it can be counted. */
async function counted(at: World) {
  const [ods] = await at.sql(
    "SELECT count() AS rows, uniqExact(_epoch, _partition, _offset) AS records, uniqExact(id) AS ids, sum(n) AS total FROM ods.event",
  );
  const [dwf] = await at.sql("SELECT count() AS rows, uniqExact(id) AS ids, sum(n) AS total FROM dwf.event");
  const [dwa] = await at.sql("SELECT sum(events) AS rows, sum(ids) AS ids, sum(total) AS total FROM dwa.parity");
  return { ods, dwf, dwa };
}

const exactly = (rows: number, total: number) => ({
  ods: { rows: String(rows), records: String(rows), ids: String(rows), total: String(total) },
  dwf: { rows: String(rows), ids: String(rows), total: String(total) },
  dwa: { rows: String(rows), ids: String(rows), total: String(total) },
});

/** What somebody hostile adds to a backup, so that rows go there. */
const ELSEWHERE = "CREATE TABLE dim.elsewhere ( a String ) ENGINE = URL('http://127.0.0.1:1/', TSV)";

/** What somebody hostile puts in a file's place. */
function linkTo(target: string, path: string): void {
  rmSync(path);
  symlinkSync(target, path);
}

describe("weir backup and restore", () => {
  test("hold every event that was accepted before, each once, while more keep coming", async () => {
    await world.post("/v1/admin/tokens", JSON.stringify({ name: "app", scopes: ["api:*"] }), JSON_TYPE);
    const sender = new Sender(world, { source: "event", senders: 4, batch: 50 });
    await sender.sent(5_000);
    const before = sender.promised.events;
    const { status, body } = await backup("first");
    expect({ status, body }).toMatchObject({ status: 201, body: { path: join(folder.path, "data/backups/first") } });
    await sender.sent(before + 5_000);
    await sender.stop();
    // The one that is backed up lost nothing by it.
    expect(await counted(world)).toEqual(exactly(sender.promised.events, sender.promised.sum));
    expect(body.records.event).toBeGreaterThanOrEqual(before);

    const data = join(folder.path, "restored");
    expect(await weir("restore", body.path, "--data", data)).toMatchObject({ status: 0, err: "" });
    const restored = await openWorld({ path: data });
    try {
      // What the log holds beyond the tables lands now.
      const rows = body.records.event!;
      const stored = "SELECT sum(stored) AS n FROM weir.batch WHERE statement = 'ods.event'";
      const look = async () => Number((await restored.sql(stored))[0]!.n);
      await until("landing", look, { holds: (n) => n >= rows, withinMs: 20_000 });
      const [sums] = await restored.sql("SELECT sum(n) AS total, max(toUInt64(id)) AS last FROM ods.event");
      expect(await counted(restored)).toEqual(exactly(rows, Number(sums!.total)));
      // Tokens, APIs, functions and dictionaries came along, and a batch that was sent is known again.
      expect(await restored.sql("SELECT name FROM weir.token")).toEqual([{ name: "app" }]);
      const asked = await restored.request("/v1/api/parity", {
        headers: { authorization: `Bearer ${restored.token}` },
      });
      expect(await asked.json()).toMatchObject({ data: [{ word: "even" }, { word: "odd" }] });
      const again = Array.from({ length: 50 }, (_, id) => JSON.stringify({ id: String(id), n: id % 100 })).join("\n");
      const repeated = await restored.post("/v1/ingest/event?wait=1", again, {
        ...{ "content-type": "application/x-ndjson", "idempotency-key": "event-0" },
      });
      expect(await repeated.json()).toMatchObject({ accepted: 0, duplicates: 50 });
      await restored.post("/v1/ingest/event?wait=1", '{"id":"new","n":1}', JSON_TYPE);
      expect(await counted(restored)).toEqual(exactly(rows + 1, Number(sums!.total) + 1));
      for (const model of ["dwf.event", "dwa.parity"]) {
        const answer = await restored.post(`/v1/admin/definitions/${model}/check`, "");
        expect(await answer.json()).toMatchObject({ model, differing: 0 });
      }
      await restored.apply({ "dwa/halves.sql": DEFINITIONS["dwa/parity.sql"].replace("by word.", "by word, again.") });
    } finally {
      await restored.close();
    }
  });

  test("say what keeps a backup from being made", async () => {
    const [one, other] = await Promise.all([backup("twice"), backup("twice_at_once")]);
    expect([one.status, other.status].sort()).toEqual([201, 409]);
    const refused = [one, other].find(({ status }) => status === 409)!.body.error!;
    expect(refused.message).toBe("Cannot make a backup: another one is being made.");
    for (const [name, message] of [
      ["first", "Cannot make the backup 'first': there is one of that name."],
      ["../outside", "Cannot name a backup '../outside'."],
      ["x.partial", "Cannot name a backup 'x.partial'."],
      [".hidden", "Cannot name a backup '.hidden'."],
    ] as const) {
      const { status, body } = await backup(name);
      expect({ status, message: body.error?.message }).toEqual({ status: 409, message });
    }
    const left = await world.sql("SELECT name FROM system.databases WHERE name = 'weir_backup'");
    expect(left).toEqual([]);
    expect(readdirSync(join(folder.path, "data/backups")).filter((name) => name.endsWith(".partial"))).toEqual([]);
    const listed = (await (
      await world.request("/v1/admin/backups", {
        headers: { authorization: `Bearer ${world.token}` },
      })
    ).json()) as { backups: readonly { name: string }[] };
    expect(listed.backups.map(({ name }) => name)).toContain("first");
  });

  test("8, 16: refuse what is not whole, and touch no directory that has something in it", async () => {
    const whole = join(folder.path, "data/backups/first");
    const spoiled = (name: string, spoil: (path: string) => void) => {
      const path = join(folder.path, name);
      cpSync(whole, path, { recursive: true });
      spoil(path);
      return path;
    };
    mkdirSync(join(folder.path, "full"));
    writeFileSync(join(folder.path, "full/mine"), "");
    const cases = [
      [whole, "full", "it is not empty"],
      [join(folder.path, "nowhere"), "new", "there is no such folder"],
      [join(folder.path, "full"), "new", "it has no manifest.json"],
      [spoiled("cut", (path) => appendFileSync(join(path, "log.db"), "x")), "new", "its log.db is damaged"],
      // What a link leads to is not the backup's, whatever it holds.
      [spoiled("linked", (path) => linkTo(join(whole, "log.db"), join(path, "log.db"))), "new", "log.db is damaged"],
      [
        spoiled("later", (path) => writeFileSync(join(path, "manifest.json"), '{"format":2}')),
        "new",
        "a later Weir made it (format 2, this one reads up to 1)",
      ],
    ] as const;
    const refused = cases.map(async ([from, to, said]) => {
      const { status, out, err } = await weir("restore", from, "--data", join(folder.path, to));
      expect({ status, out, isSaid: err.includes(said), err }).toMatchObject({ status: 1, out: "", isSaid: true });
    });
    await Promise.all(refused);
    expect(existsSync(join(folder.path, "new"))).toBeFalse();
    expect(readdirSync(folder.path).filter((name) => name.includes(".restoring-"))).toEqual([]);
  });

  test("32: refuse what would send rows elsewhere once it is started", async () => {
    const { command } = world.door.warehouse;
    await Effect.runPromise(command("admin", ELSEWHERE));
    const { body } = await backup("changed");
    await Effect.runPromise(command("admin", "DROP TABLE dim.elsewhere"));
    const { status, err } = await weir("restore", body.path, "--data", join(folder.path, "new"));
    expect({ status, err }).toMatchObject({
      status: 1,
      err: expect.stringContaining("dim.elsewhere is of the engine"),
    });
    expect(existsSync(join(folder.path, "new"))).toBeFalse();
  });
});

describe("a process that is killed while it makes a backup", () => {
  test("goes on after it; what the backup left is removed by the next one", async () => {
    const dataDir = join(folder.path, "killed");
    const projectDir = join(folder.path, "project");
    for (const [path, text] of Object.entries(DEFINITIONS)) {
      mkdirSync(join(projectDir, path, ".."), { recursive: true });
      writeFileSync(join(projectDir, path), text);
    }
    writeFileSync(join(projectDir, "dim/parity.csv"), PARITY);
    const door = await startProcess({ dataDir, projectDir });
    const rows = Array.from({ length: 20_000 }, (_, id) => JSON.stringify({ id: String(id), n: 1 })).join("\n");
    await door.post("/v1/ingest/event?wait=1", rows, { "content-type": "application/x-ndjson" });
    const partial = join(dataDir, "backups/cut.partial");
    void door.post("/v1/admin/backups", '{"name":"cut"}', JSON_TYPE).catch(() => undefined);
    await until("the backup's begin", () => existsSync(partial), { holds: (is) => is, withinMs: 10_000 });
    await door.kill();
    expect(existsSync(join(dataDir, "backups/cut"))).toBeFalse();

    const again = await startProcess({ dataDir });
    try {
      const answer = await again.post("/v1/admin/backups", '{"name":"whole"}', JSON_TYPE);
      expect([answer.status, existsSync(partial)]).toEqual([201, false]);
      expect(await again.sql("SELECT count() AS n FROM dwf.event")).toEqual([{ n: "20000" }]);
    } finally {
      await again.stop();
    }
  });
});
