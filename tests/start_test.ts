/**
 * `weir` as people and scripts run it: real processes, their output, their exit status, what they leave on disk.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { engine } from "./conform_engine.ts";
import { temporaryFolder, until } from "./door_process.ts";
import { SOURCE } from "./faults/producer.ts";
import { JSON_TYPE } from "./models_fixture.ts";

const MAIN = new URL("../web/main.ts", import.meta.url).pathname;
const OPEN_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;

/** The environment without anything that would configure Weir. */
const CLEAN_ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(WEIR_|CLICKHOUSE_|KAFKA_)/.test(name)),
);

/** A `weir` process under test. */
interface Weir {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number>;
  readonly signal: (name: NodeJS.Signals) => void;
}

interface Ready {
  readonly ready: boolean;
  readonly url: string;
  readonly admin_token: string;
  readonly pid: number;
}

setDefaultTimeout(60_000);
const folder = temporaryFolder("start");
const started: Weir[] = [];
const projectDir = join(folder.path, "project");

beforeAll(() => project("project", { number: SOURCE }));
afterAll(async () => {
  for (const { signal } of started) signal("SIGKILL");
  await Promise.all(started.map(({ ended }) => ended));
  folder.remove();
});

/** Writes a project of sources; answers its folder. */
function project(name: string, sources: Readonly<Record<string, string>>): string {
  const dir = join(folder.path, name);
  mkdirSync(join(dir, "ods"), { recursive: true });
  for (const [source, text] of Object.entries(sources)) writeFileSync(join(dir, "ods", `${source}.sql`), text);
  return dir;
}

function spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}): Weir {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { ...CLEAN_ENV, ...env },
    cwd: folder.path,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = { stdout: "", stderr: "" };
  const listen = async (name: "stdout" | "stderr") => {
    for await (const chunk of child[name]) said[name] += new TextDecoder().decode(chunk);
  };
  const listening = Promise.all([listen("stdout"), listen("stderr")]);
  const weir: Weir = {
    pid: child.pid,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    ended: child.exited.then(async (status) => {
      await listening;
      return status;
    }),
    signal: (name) => child.kill(name),
  };
  started.push(weir);
  return weir;
}

/** Runs a command to its end. */
async function weir(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const process = spawn(args, env);
  const status = await process.ended;
  return { status, stdout: process.stdout(), stderr: process.stderr() };
}

/** Starts a door and waits for its line. */
async function open(dataDir: string, { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {}) {
  const process = spawn(["start", "--json", "--port", "0", "--data", dataDir, ...args], env);
  let status: number | undefined;
  void process.ended.then((code) => {
    status = code;
  });
  const look = () => ({ line: process.stdout().split("\n").length > 1, status });
  await until("the ready line", look, {
    holds: (seen) => seen.line || seen.status !== undefined,
    withinMs: OPEN_MS_MAX,
  });
  if (status !== undefined) throw new Error(`The door did not open: ${process.stderr()}`);
  return { ...process, ready: JSON.parse(process.stdout()) as Ready };
}

type OpenDoor = Awaited<ReturnType<typeof open>>;

function post(
  { ready }: OpenDoor,
  path: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const authorization = `Bearer ${ready.admin_token}`;
  return fetch(`${ready.url}${path}`, { method: "POST", body, headers: { authorization, ...headers } });
}

async function sql(door: OpenDoor, text: string): Promise<unknown> {
  const { data } = (await (await post(door, "/v1/sql", text)).json()) as { data: unknown };
  return data;
}

/** Closes a door as an operator does, and checks how it went. */
async function close(door: OpenDoor): Promise<void> {
  const from = performance.now();
  door.signal("SIGTERM");
  expect(await door.ended).toBe(0);
  expect(performance.now() - from).toBeLessThan(STOP_MS_MAX);
  expect(door.stdout().trimEnd().split("\n")).toHaveLength(1);
}

/** Processes whose command line names a path, by id. */
function processesOf(path: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path);
      } catch {
        return false; // it ended while we looked
      }
    });
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("weir start", () => {
  const dataDir = join(folder.path, "data");
  let door: OpenDoor;

  beforeAll(async () => {
    door = await open(dataDir, { args: ["--project", projectDir] });
  });

  test("--json prints one line, and leaves the token and the door's address for local commands alone", async () => {
    expect(door.stdout().split("\n")).toEqual([expect.any(String), ""]);
    const { ready, url, admin_token: token, pid } = { ...door.ready };
    expect(Object.keys(door.ready)).toEqual(["ready", "url", "admin_token", "pid"]);
    expect([ready, pid]).toEqual([true, door.pid]);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(token).toMatch(/^weir_[\w-]{43}$/);
    expect([modeOf(join(dataDir, "admin_token")), modeOf(join(dataDir, "door.json"))]).toEqual(["600", "600"]);
    expect([modeOf(dataDir), modeOf(join(dataDir, "clickhouse"))]).toEqual(["700", "700"]);
    expect(readFileSync(join(dataDir, "admin_token"), "utf8").trim()).toBe(door.ready.admin_token);
    expect(door.stderr()).toBe("");
  });

  test("refuses a second process on the same data directory; the first goes on", async () => {
    const left = readFileSync(join(dataDir, "door.json"), "utf8");
    const second = await weir(["start", "--json", "--port", "0", "--data", dataDir]);
    expect({ status: second.status, stdout: second.stdout }).toEqual({ status: 1, stdout: "" });
    expect(second.stderr).toContain(`${dataDir} is used by another process (pid ${door.pid})`);
    expect(second.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(readFileSync(join(dataDir, "door.json"), "utf8")).toBe(left);
    expect((await post(door, "/v1/ingest/number?wait=1", '{"id":"first","n":1}', JSON_TYPE)).status).toBe(200);
    expect(await sql(door, "SELECT n FROM ods.number WHERE id = 'first'")).toEqual([{ n: 1 }]);
  });

  test("refuses a port that is taken, and leaves no process behind", async () => {
    const other = join(folder.path, "other");
    const { port } = new URL(door.ready.url);
    const refused = await weir(["start", "--port", port, "--data", other]);
    expect(refused).toEqual({
      status: 1,
      stdout: "",
      stderr: `Cannot open the door: port ${port} is taken. Choose another with --port.\n`,
    });
    expect(processesOf(other)).toEqual([]);
    expect(existsSync(join(other, "door.json"))).toBe(false);
  });

  test("plan, apply and sql talk to the running door of WEIR_DATA", async () => {
    const env = { WEIR_DATA: dataDir };
    const wider = SOURCE.replace("n UInt32", "n UInt32, note Nullable(String)");
    const dir = project("wider", { number: wider });
    expect(await weir(["plan", "--project", dir], env)).toEqual({
      status: 0,
      stdout: "ods.number: rebuild: adds note Nullable(String)\n",
      stderr: "",
    });
    expect(await weir(["apply", "--project", dir], env)).toEqual({
      status: 0,
      stdout: "ods.number: rebuild: adds note Nullable(String)\napplied\n",
      stderr: "",
    });
    const same = await weir(["apply", "--json", "--project", dir], env);
    expect({ status: same.status, answer: JSON.parse(same.stdout) }).toEqual({
      status: 0,
      answer: {
        changes: [{ kind: "same", name: "ods.number", version: 2, destructive: false, notes: [], dependents: [] }],
        errors: [],
        conflicts: [],
        catalog: 2,
        done: true,
      },
    });
    expect(await weir(["sql", "SELECT id, n, note FROM ods.number", "--format", "csv"], env)).toEqual({
      status: 0,
      stdout: '"id","n","note"\n"first",1,\n',
      stderr: "",
    });
    const rows = await weir(["sql", "SELECT 1 AS one"], env);
    expect(JSON.parse(rows.stdout)).toMatchObject({ data: [{ one: 1 }], meta: { rows: 1 } });
  });

  test("plan, apply and sql say what is wrong and end with 1", async () => {
    const env = { WEIR_DATA: dataDir };
    const narrow = await weir(["apply", "--project", projectDir], env);
    expect(narrow).toEqual({
      status: 1,
      stdout: "ods.number: rebuild (destructive): drops note and its values\n",
      stderr: "Nothing was applied: values would be lost. Say --allow-destructive if that is meant.\n",
    });
    const broken = project("broken", { number: SOURCE.replace("UInt32", "UInt23") });
    for (const command of ["plan", "apply"]) {
      const { status, stdout, stderr } = await weir([command, "--project", broken], env);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toStartWith("ods/number.sql:6:");
      expect(stderr).toContain("'UInt23'");
    }
    const refused = await weir(["sql", "SELEC 1"], env);
    expect({ status: refused.status, stdout: refused.stdout }).toEqual({ status: 1, stdout: "" });
    expect(refused.stderr).toStartWith("Cannot run the statement: it does not read.");
    const lost = await weir(["sql", "SELECT 1"], { WEIR_DATA: join(folder.path, "nowhere") });
    expect({ status: lost.status, stderr: lost.stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("Cannot find a running door"),
    });
    const closed = await weir(["sql", "SELECT 1"], { WEIR_URL: "http://127.0.0.1:1", WEIR_TOKEN: "x" });
    expect({ status: closed.status, stderr: closed.stderr }).toEqual({
      status: 1,
      stderr: "Cannot reach the door at http://127.0.0.1:1. Is weir start running?\n",
    });
  });

  test("ends with 0 at SIGTERM; the next start has the same token and everything accepted, and serves it despite a broken project", async () => {
    const promised = 2_000;
    const lines = (first: number) =>
      Array.from({ length: 100 }, (_, index) => JSON.stringify({ id: `after-${first + index}`, n: 1 })).join("\n");
    const answers = await Promise.all(
      Array.from({ length: promised / 100 }, (_, batch) =>
        post(door, "/v1/ingest/number", lines(batch * 100), { "content-type": "application/x-ndjson" }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    const made = (scope: string) =>
      weir(["token", "create", "--name", scope, "--scope", scope], { WEIR_DATA: dataDir }).then(({ stdout }) =>
        stdout.trim(),
      );
    const [kept, revoked] = [await made("ingest:number"), await made("ingest:*")];
    const listed = await weir(["token", "list", "--json"], { WEIR_DATA: dataDir });
    const { tokens } = JSON.parse(listed.stdout) as { tokens: readonly { id: string; name: string }[] };
    const { id } = tokens.find(({ name }) => name === "ingest:*")!;
    expect((await weir(["token", "revoke", id], { WEIR_DATA: dataDir })).status).toBe(0);
    await close(door);
    expect([existsSync(join(dataDir, "door.json")), processesOf(dataDir)]).toEqual([false, []]);

    const again = await open(dataDir, { args: ["--project", join(folder.path, "broken")] });
    expect(again.ready.admin_token).toBe(door.ready.admin_token);
    const sendAs = (token: string) =>
      fetch(`${again.ready.url}/v1/ingest/number`, {
        method: "POST",
        body: '{"id":"by-token","n":1}',
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      }).then(({ status }) => status);
    expect([await sendAs(kept), await sendAs(revoked)]).toEqual([202, 401]);
    expect(again.stderr()).toContain("ods/number.sql:6:");
    expect(again.stderr()).toContain("what was applied before is served");
    const look = () =>
      sql(
        again,
        "SELECT count() AS rows, uniqExact(id) AS ids, uniqExact(_epoch, _partition, _offset) AS records FROM ods.number WHERE startsWith(id, 'after-')",
      );
    const all = [{ rows: `${promised}`, ids: `${promised}`, records: `${promised}` }];
    expect(
      await until("everything accepted", look, { holds: (seen) => Bun.deepEquals(seen, all), withinMs: 15_000 }),
    ).toEqual(all);
    await close(again);
  });
});

describe("weir start, refused", () => {
  test.each([
    [
      "an unwritable data directory",
      ["start", "--data", join(projectDir, "ods", "number.sql", "data")],
      {},
      1,
      /^Cannot use the data directory '.*number\.sql\/data'.*--data\.$/,
    ],
    ["a port that is none", ["start", "--port", "99999"], {}, 1, /^Cannot use WEIR_PORT \(--port\)/],
    ["a port that is no number", ["start"], { WEIR_PORT: "http" }, 1, /^Cannot use WEIR_PORT \(--port\)/],
    [
      "a misspelt flag",
      ["start", "--prot", "1"],
      {},
      2,
      /^Unknown option '--prot'\. Did you mean '--port'\? Run weir start --help\.$/,
    ],
    [
      "a misspelt command",
      ["stat"],
      {},
      2,
      /^Cannot run 'stat': there is no such command\. Did you mean 'start'\? Run weir --help\.$/,
    ],
    ["a flag without its value", ["start", "--data"], {}, 2, /^Cannot use --data: it needs a value\. Run weir start/],
    [
      "a project that is not there",
      ["start", "--data", join(folder.path, "p1"), "--project", "nowhere"],
      {},
      1,
      /^Cannot read the project: there is no folder '.*nowhere'/,
    ],
    [
      "a ClickHouse address that is none",
      ["start", "--data", join(folder.path, "p2")],
      { CLICKHOUSE_URL: "tcp://me:hidden@x:1" },
      1,
      /^Cannot read CLICKHOUSE_URL(?!.*hidden)/,
    ],
  ])("%s: says so in one line", async (_, args, env, status, says) => {
    const refused = await weir(args, env as Record<string, string>);
    expect({ status: refused.status, stdout: refused.stdout }).toEqual({ status, stdout: "" });
    expect(refused.stderr.trimEnd()).toMatch(says);
    expect(refused.stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("a project of which nothing can be applied, with nothing applied before", async () => {
    const dir = project("broken_at_first", { number: SOURCE.replace("UInt32", "UInt23") });
    const data = join(folder.path, "data_broken");
    const { status, stdout, stderr } = await weir(["start", "--json", "--port", "0", "--data", data, "--project", dir]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("ods/number.sql:6:");
    expect(stderr.trimEnd().split("\n").at(-1)).toStartWith("Cannot start: nothing of ");
    expect(processesOf(data)).toEqual([]);
  });
});

describe("CLICKHOUSE_URL", () => {
  test("uses a ClickHouse of your own: events land there, SQL answers, no child is started", async () => {
    const own = await engine();
    const dataDir = join(folder.path, "external");
    const door = await open(dataDir, { args: ["--project", projectDir], env: { CLICKHOUSE_URL: own.url } });
    expect(
      (await post(door, "/v1/ingest/number?wait=1", '[{"id":"a","n":1},{"id":"b","n":2}]', JSON_TYPE)).status,
    ).toBe(200);
    expect(await sql(door, "SELECT sum(n) AS n FROM ods.number")).toEqual([{ n: "3" }]);
    expect(await own.run("SELECT count() FROM ods.number")).toBe("2\n");
    expect(readFileSync(`/proc/${door.pid}/task/${door.pid}/children`, "utf8").trim()).toBe("");
    expect(existsSync(join(dataDir, "clickhouse"))).toBe(false);
    const { pathname, password } = new URL(own.url);
    expect(pathname).toBe("/");
    await close(door);
    expect(door.stdout() + door.stderr()).not.toContain(password);
    const stranger = new URL(own.url);
    stranger.password = "guessed";
    const refused = await weir(["start", "--data", join(folder.path, "stranger")], { CLICKHOUSE_URL: stranger.href });
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^Cannot use address 1 of CLICKHOUSE_URL: /),
    ]);
    expect(refused.stderr).toContain("Check its user and password.");
    expect(refused.stderr).not.toContain("guessed");
    await own.stop();
  });
});
