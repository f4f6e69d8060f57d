/**
 * An operator's day: the commands that look at a running door and repair what went wrong, as real processes.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DoorProcess, startProcess, temporaryFolder, until } from "./door_process.ts";
import { JSON_TYPE } from "./models_fixture.ts";

const MAIN = new URL("../web/main.ts", import.meta.url).pathname;
const source = (type: string) => `/*---
kind: source
doc: Readings.
partitions: 1
---*/
CREATE TABLE ods.reading (id String, n ${type})`;

/** The environment without anything that would configure Weir. */
const CLEAN_ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(WEIR_|CLICKHOUSE_|KAFKA_)/.test(name)),
);

setDefaultTimeout(60_000);
const folder = temporaryFolder("operate");
const dataDir = join(folder.path, "data");
const projectDir = join(folder.path, "project");
let door: DoorProcess;

function write(type: string): void {
  mkdirSync(join(projectDir, "ods"), { recursive: true });
  writeFileSync(join(projectDir, "ods", "reading.sql"), source(type));
}

beforeAll(async () => {
  write("UInt8");
  door = await startProcess({ dataDir, projectDir });
});
afterAll(async () => {
  await door.stop();
  folder.remove();
});

async function weir(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { ...CLEAN_ENV, ...env },
    ...{ cwd: folder.path, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, stdout, stderr };
}

/** On the door of the test; `--data` may stand before the command. */
const here = (...args: readonly string[]) => weir(["--data", dataDir, ...args]);

describe("an operator", () => {
  test("sends what is good and what is not", async () => {
    const events = [
      { id: "good", n: 1 },
      { id: "wide", n: 300 },
    ];
    const answer = await door.post("/v1/ingest/reading?wait=1", JSON.stringify(events), JSON_TYPE);
    expect(answer.status).toBe(200);
  });

  test("sees on one screen that all is well", async () => {
    const { status, stdout, stderr } = await here("status");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(`at ${door.url}, up `);
    expect(stdout).toMatch(/\nready\n/);
    expect(stdout).toMatch(/^reading +reading +1 +\d/m);
    expect(await (await door.get("/v1/admin/status")).json()).toMatchObject({
      ready: true,
      sources: [{ source: "reading", rows: 1, lag_records: 0, lag_seconds: 0, open_intents: 0 }],
      disk: { log_bytes: expect.any(Number), warehouse_bytes: expect.any(Number) },
    });
  });

  test("gets 1 from a door that is not ready, and hears what is waited for", async () => {
    const waits = { address: "table/ods.price/0", note: "Cannot ask the schema registry." };
    const status = {
      ...{ version: "0", uptime_seconds: 1, ready: false, reasons: ["the log does not answer"], sources: [] },
      ...{
        models: { active: 0, building: 0, suspended: [] },
        actors: { running: 0, stopped: [], waiting: [waits], restarted: [] },
      },
      disk: { log_bytes: null, warehouse_bytes: null, warehouse_free_bytes: null },
    };
    using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json(status) });
    const answer = await weir(["status"], { WEIR_URL: `http://127.0.0.1:${server.port}`, WEIR_TOKEN: "x" });
    expect(answer.status).toBe(1);
    expect(answer.stdout).toContain("NOT READY: the log does not answer");
    expect(answer.stdout).toContain("table/ods.price/0 waits: Cannot ask the schema registry.");
  });

  test("22, 24: sees what hostile events hold, and nothing of it moves the cursor", async () => {
    const evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e";
    const error = { code: "sql_refused", message: `Cannot parse '${evil}'.`, hint: evil, at: { line: 1, column: 2 } };
    const row = { id: "reading.1.0.5", outcome: "still bad", column: evil, reason: evil };
    const place = { file: `ods/${evil}.sql`, line: 1, column: 1, message: evil, hint: evil };
    const change = { kind: "refuse", name: "ods.reading", reason: evil, hint: evil, explanation: [evil] };
    const record = { partition: 0, offset: 0, at: "2026-01-01T00:00:00Z", key: evil, value: evil, value_bytes: 9 };
    const answers: Readonly<Record<string, () => Response>> = {
      "/v1/sql": () => Response.json({ error }, { status: 400 }),
      "/v1/admin/quarantine/replay": () => Response.json({ counts: {}, rows: [row], next: null }),
      "/v1/admin/definitions": () => Response.json({ changes: [change], errors: [place], conflicts: [], done: false }),
      "/v1/admin/definitions/dwa.x/check": () =>
        Response.json({ rows: 1, differing: 1, classes: {}, differences: [{ batch: evil, live: evil }] }),
      "/v1/admin/sources/reading/tail": () => new Response(`${JSON.stringify(record)}\n`),
    };
    using server = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: ({ url }) => answers[new URL(url).pathname]!(),
    });
    const env = { WEIR_URL: `http://x:hidden@127.0.0.1:${server.port}`, WEIR_TOKEN: "x" };
    const asked = [
      ["sql", "SELECT 1"],
      ["quarantine", "replay", row.id],
      ["plan", "--project", projectDir],
      ["check", "dwa.x"],
      ["tail", "reading", "--limit", "1"],
      ["restore", `${folder.path}/${evil}`],
    ];
    for (const [index, { stdout, stderr }] of (await Promise.all(asked.map((args) => weir(args, env)))).entries()) {
      const said = stdout + stderr;
      expect({ asked: asked[index]![0], isSaid: said.includes("\\u001b[2J"), said }).toMatchObject({ isSaid: true });
      // Of what moves a cursor, only the ends of lines.
      expect(said.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
    }
    await server.stop(true);
    const away = await weir(["status"], env);
    expect([away.stdout, away.stderr.includes("hidden")]).toEqual(["", false]);
  });

  test("looks at what is in the log", async () => {
    const { status, stdout } = await here("tail", "reading", "--from", "earliest", "--limit", "1");
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^0:0 {2}\S+Z {2}- {2}\{"id":"good","n":1\}\n$/),
    });
    expect(await here("tail", "nothing")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("Known sources"),
    });
  });

  test("finds what was refused, corrects the source, and replays it once", async () => {
    interface Groups {
      readonly groups: readonly { readonly example: string; readonly refused: boolean }[];
    }
    const look = async () => (await (await door.get("/v1/admin/quarantine/groups")).json()) as Groups;
    const { groups } = await until("the refusal", look, { holds: (seen) => seen.groups.length === 1, withinMs: 5_000 });
    expect(groups).toMatchObject([{ column: "n", refused: true, count: 1 }]);
    const id = groups[0]!.example;
    expect((await here("quarantine", "show", id)).stdout).toContain('{"id":"wide","n":300}');
    expect(await here("quarantine", "replay", id)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^\S+: still bad: n: 300 is out of range/),
      stdout: "1 still bad\n",
    });
    write("UInt16");
    expect((await here("apply", "--project", projectDir)).status).toBe(0);
    expect((await here("quarantine", "replay", "--source", "reading")).stdout).toContain("--include-refused");
    expect(await here("quarantine", "replay", id)).toEqual({ status: 0, stdout: "1 replayed\n", stderr: "" });
    expect(await here("quarantine", "replay", id)).toMatchObject({ status: 0, stdout: "1 already replayed\n" });
    expect((await here("quarantine", "list")).stdout).toBe("Nothing is quarantined.\n");
  });

  test("asks in SQL: a table for people, a parameter, and the place of a mistake", async () => {
    const query = "SELECT id, n FROM ods.reading WHERE n = {n:UInt16}";
    const { stdout } = await here("sql", query, "--format", "table", "--param", "n=300");
    expect(stdout.split("\n").slice(0, 3)).toEqual(["id      n", "────  ───", "wide  300"]);
    const wrong = await here("sql", "SELECT 1,\n  2 +* 3");
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toEndWith("\n\n2 |   2 +* 3\n           ^\n");
    expect(await here("quarantine", "reply", "x")).toMatchObject({
      status: 2,
      stderr: "Cannot run 'reply': there is no such command. Did you mean 'replay'? Run weir quarantine --help.\n",
    });
  });
});

describe("the command line", () => {
  test("--help explains every command; no command at all is a mistake", async () => {
    const help = await weir(["--help"]);
    expect({ status: help.status, stderr: help.stderr }).toEqual({ status: 0, stderr: "" });
    for (const command of ["start", "demo", "plan", "apply", "sql", "status", "tail", "quarantine", "token"])
      expect(help.stdout).toMatch(new RegExp(`^  ${command} +[A-Z]`, "m"));
    const start = await weir(["start", "--help"]);
    expect({ status: start.status, stderr: start.stderr }).toEqual({ status: 0, stderr: "" });
    for (const said of ["--port N", "WEIR_PORT, 8080", "weir start --project shop"])
      expect(start.stdout).toContain(said);
    expect(await weir([])).toEqual({ ...help, status: 2 });
    const version = await weir(["--version"]);
    expect(version).toEqual({ status: 0, stdout: expect.stringMatching(/^weir \d+\.\d+\.\d+\n$/), stderr: "" });
    const completions = await weir(["--completions", "zsh"]);
    expect({ status: completions.status, stdout: completions.stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining("quarantine"),
    });
  });
});
