/**
 * Tests of `embedded.ts`: a real engine that is started, killed, shared, starved.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Exit, Scope } from "effect";
import { Warehouse } from "../warehouse.ts";
import { clickHouseWarehouse } from "./client.ts";
import { afterFall, type EmbeddedClickHouse, type EmbeddedOptions, embeddedClickHouse } from "./embedded.ts";
import { judgeOutput, stripCodes } from "./engine_process.ts";
import { libraryPath } from "./library.ts";

const root = mkdtempSync(join(tmpdir(), "weir-embedded-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Starts an engine; `stop` closes its scope. */
async function started(options: EmbeddedOptions): Promise<{ engine: EmbeddedClickHouse; stop: () => Promise<void> }> {
  const scope = Effect.runSync(Scope.make());
  const engine = await Effect.runPromise(embeddedClickHouse(options).pipe(Scope.provide(scope)));
  return { engine, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) };
}

function use<A, E>(engine: EmbeddedClickHouse, work: (warehouse: Warehouse["Service"]) => Effect.Effect<A, E>) {
  return Effect.runPromise(Warehouse.use(work).pipe(Effect.provide(clickHouseWarehouse(engine.connection))));
}

const failureOfStart = (options: EmbeddedOptions) =>
  Effect.runPromise(Effect.scoped(Effect.flip(embeddedClickHouse(options))));

async function until(holds: () => boolean, msMax: number): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${msMax} ms: ${holds}`);
    await Bun.sleep(10);
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("embeddedClickHouse()", () => {
  test("comes back after kill -9 on the same port with every row, and leaves nothing running", async () => {
    const { engine, stop } = await started({ dataDir: join(root, "killed") });
    await use(engine, (warehouse) =>
      Effect.gen(function* () {
        yield* warehouse.command("writer", "CREATE DATABASE ods");
        yield* warehouse.command("writer", "CREATE TABLE ods.t (a UInt32) ENGINE = MergeTree ORDER BY a");
        yield* warehouse.insert({
          statement: "INSERT INTO ods.t FORMAT JSONEachRow",
          body: [Buffer.from('{"a":1}\n{"a":2}\n')],
          settings: {},
        });
        const first = engine.pid();
        process.kill(first, "SIGKILL");
        yield* Effect.promise(() => until(() => engine.pid() !== first, 4_000));
        expect(yield* warehouse.ready(4_000)).toBe(true);
        expect(yield* warehouse.rows("reader", "SELECT sum(a) AS sum FROM ods.t")).toEqual([{ sum: "3" }]);
        expect(engine.restarts()).toBe(1);
      }),
    );
    const last = engine.pid();
    await stop();
    expect(alive(last)).toBe(false);
  });

  test("dies with its parent's kill -9, and the next start waits for the lock", async () => {
    const dataDir = join(root, "orphan");
    const script = join(root, "parent.ts");
    writeFileSync(
      script,
      `import { Effect } from ${JSON.stringify(import.meta.resolve("effect"))};
       import { embeddedClickHouse } from ${JSON.stringify(join(import.meta.dir, "embedded.ts"))};
       await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
         const engine = yield* embeddedClickHouse({ dataDir: ${JSON.stringify(dataDir)} });
         console.log(engine.pid());
         yield* Effect.never;
       })));`,
    );
    const parent = Bun.spawn([process.execPath, script], { stdout: "pipe" });
    const reader = parent.stdout.getReader();
    const child = Number(new TextDecoder().decode((await reader.read()).value));
    expect(alive(child)).toBe(true);
    parent.kill("SIGKILL");
    await parent.exited;
    const { engine, stop } = await started({ dataDir });
    expect(engine.pid()).not.toBe(child);
    await until(() => !alive(child), 5_000);
    await stop();
  });

  test("names the process that holds the data directory", async () => {
    const dataDir = join(root, "shared");
    const { engine, stop } = await started({ dataDir });
    const failure = await failureOfStart({ dataDir, lockWaitMs: 300 });
    expect(failure.message).toBe(
      `Cannot start ClickHouse: "${dataDir}" is used by process ${engine.pid()}. Stop it, or give another data directory.`,
    );
    await stop();
  });

  test("takes another port when the wanted one is taken", async () => {
    using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { engine, stop } = await started({ dataDir: join(root, "port"), portHint: server.port });
    expect(engine.connection.url).not.toEndWith(`:${server.port}`);
    await stop();
  });

  test("says that a directory cannot be written", async () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    const { message } = await failureOfStart({ dataDir: join(file, "data") });
    expect(message).toMatch(/^Cannot start ClickHouse: ".*" cannot be written \(ENOTDIR\)\. Give a data directory/);
  });

  test("gives up with the last output when the child falls again and again", async () => {
    const library = join(root, "no_library.so");
    writeFileSync(library, "not a library");
    const { message } = await failureOfStart({ dataDir: join(root, "fallen"), library: () => library });
    expect(message).toContain("Cannot start ClickHouse: it printed");
    const { engine, stop } = await started({
      dataDir: join(root, "falls"),
      restart: { delayMsMin: 1, delayMsMax: 1, failuresInRowMax: 0, steadyMsMin: 60_000 },
    });
    process.kill(engine.pid(), "SIGKILL");
    const fallen = await Effect.runPromise(Effect.flip(engine.fallen));
    expect(fallen.message).toMatch(/^Cannot start ClickHouse: it ended 1 times in a row, last with/);
    await stop();
  });

  test("keeps its secrets to itself and repairs a file mode", async () => {
    const dataDir = join(root, "secrets");
    await (await started({ dataDir })).stop();
    const passwords = join(dataDir, "clickhouse_passwords.json");
    const before = readFileSync(passwords, "utf8");
    for (const name of [passwords, join(dataDir, "clickhouse.xml")]) expect(statSync(name).mode & 0o777).toBe(0o600);
    for (const password of Object.values(JSON.parse(before))) {
      expect(password).toMatch(/^[\w-]{43}$/);
      expect(readFileSync(join(dataDir, "clickhouse.xml"), "utf8")).not.toContain(String(password));
    }
    chmodSync(passwords, 0o644);
    await (await started({ dataDir })).stop();
    expect(statSync(passwords).mode & 0o777).toBe(0o600);
    expect(readFileSync(passwords, "utf8")).toBe(before);
    writeFileSync(passwords, "{}");
    expect((await failureOfStart({ dataDir })).message).toContain("lacks a password. Delete it");
  });

  test("starts in a directory whose name needs escaping", async () => {
    const dataDir = join(root, `a b & <c> 'd'`);
    mkdirSync(dataDir);
    const { stop } = await started({ dataDir });
    expect(existsSync(join(dataDir, "clickhouse", "status"))).toBe(true);
    await stop();
  });

  test("survives garbage, TLS and half requests", async () => {
    const { engine, stop } = await started({ dataDir: join(root, "garbage") });
    const before = engine.pid();
    const port = Number(new URL(engine.connection.url).port);
    const random = crypto.getRandomValues(new Uint8Array(4_096));
    const hello = Buffer.from("16030100c4010000c00303", "hex");
    const half = Buffer.from("POST /?query=INSERT+INTO+t HTTP/1.1\r\nContent-Length: 1000\r\n\r\nx");
    const inputs = [random, hello, half, Buffer.from("GET"), Buffer.from("\r\n".repeat(1_000)), Buffer.alloc(0)];
    await Promise.all(inputs.flatMap((input) => [sendAndLeave(port, input), sendAndLeave(port, input, "reset")]));
    expect(await use(engine, (warehouse) => warehouse.rows("reader", "SELECT 1 AS one"))).toEqual([{ one: 1 }]);
    expect(engine.pid()).toBe(before);
    await stop();
  });
});

function sendAndLeave(port: number, bytes: Uint8Array, how?: "reset"): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(bytes, () => (how === "reset" ? socket.resetAndDestroy() : socket.destroy()));
  });
  socket.on("close", () => resolve());
  socket.on("error", () => resolve());
  return promise;
}

describe("afterFall()", () => {
  const policy = { delayMsMin: 100, delayMsMax: 5_000, failuresInRowMax: 7, steadyMsMin: 30_000 };
  test.each([
    ["starts at once after the first fall", 0, 10, { failures: 1, delayMs: 100 }],
    ["doubles the pause", 2, 10, { failures: 3, delayMs: 400 }],
    ["caps the pause", 6, 10, { failures: 7, delayMs: 5_000 }],
    ["gives up after the last", 7, 10, "exceeded"],
    ["begins a new row after a steady life", 7, 30_000, { failures: 1, delayMs: 100 }],
  ] as const)("%s", (_, failures, livedMs, expected) => {
    expect(afterFall(failures, { livedMs, policy })).toEqual(expected);
  });
});

describe("judgeOutput()", () => {
  test.each([
    ["SYSTEM START LISTEN HTTP;\nClickHouse local version 26.7.2.1.\n", undefined],
    ["Query id: x\n\nOk.\n\n0 rows in set.", "answers"],
    ["Code: 76. DB::Exception: Cannot lock file /d/status. Another server instance", "locked"],
    ["Code: 210. DB::Exception: Listen failed: Address already in use: 127.0.0.1:1", "port taken"],
    ["Code: 57. DB::Exception: broken metadata", "failed"],
  ] as const)("judges %j", (text, expected) => expect(judgeOutput(text)).toBe(expected));

  test("sees through terminal codes", () => expect(stripCodes("\u001b[0J\u001b[?25hOk.\r\n")).toBe("Ok.\n"));
});

describe("libraryPath()", () => {
  test("names the platforms that have a library", () => {
    expect(() => libraryPath("win32-x64")).toThrow(
      'Cannot start ClickHouse: no library for "win32-x64". It exists for linux-x64, linux-arm64, darwin-x64, darwin-arm64. Or set CLICKHOUSE_URL',
    );
  });
});
