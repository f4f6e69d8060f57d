/**
 * Tokens of a whole platform: kept over a restart, refused from the moment they are revoked, written down nowhere.
 *
 * Rows 1, 2, 3, 25, 26 and 31 of the list of risks, as far as they are about tokens.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { keepTokens, Tokens } from "@weir/web";
import { temporaryFolder, until } from "./door_process.ts";
import { type Kept, type Made, openKept } from "./gateway_token_fixture.ts";

setDefaultTimeout(120_000);

const MAIN = new URL("../web/main.ts", import.meta.url).pathname;
const API = { name: "reader", scopes: ["api:events"] };
const READ = "/v1/api/events?tenant=a";

const folder = temporaryFolder("tokens");
let door: Kept;
/** Everything that the process said while these tests ran. */
let said = "";
const console_ = { error: console.error, log: console.log, warn: console.warn };
const writes = { stdout: process.stdout.write, stderr: process.stderr.write };

beforeAll(async () => {
  for (const name of ["error", "log", "warn"] as const) {
    console[name] = (...words: unknown[]) => {
      said += `${words.map(String).join(" ")}\n`;
    };
  }
  for (const name of ["stdout", "stderr"] as const) {
    const write = writes[name].bind(process[name]) as (text: string | Uint8Array) => boolean;
    process[name].write = ((text: string | Uint8Array) => {
      said += typeof text === "string" ? text : Buffer.from(text).toString();
      return write(text);
    }) as typeof process.stdout.write;
  }
  door = await openKept(folder.path);
});

afterAll(async () => {
  await door.close();
  Object.assign(console, console_);
  process.stdout.write = writes.stdout;
  process.stderr.write = writes.stderr;
  folder.remove();
});

const statusOf = async (token: string, path = READ) => {
  const answer = await door.ask(token, path);
  await answer.body?.cancel();
  return answer.status;
};

describe("revocation", () => {
  test("26: is in force for every request that begins after it was answered, while others run", async () => {
    const { id, token } = await door.create(API);
    const answers: { readonly beganMs: number; readonly status: number }[] = [];
    let isOver = false;
    const client = async () => {
      while (!isOver) {
        const beganMs = performance.now();
        answers.push({ beganMs, status: await statusOf(token) });
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await until("the clients are served", () => answers.filter(({ status }) => status === 200).length, {
      ...{ holds: (count) => count > 50, withinMs: 10_000 },
    });
    expect(await door.revoke(id)).toBe(200);
    const revokedMs = performance.now();
    await until("the clients are refused", () => answers.filter(({ beganMs }) => beganMs > revokedMs).length, {
      ...{ holds: (count) => count > 50, withinMs: 10_000 },
    });
    isOver = true;
    await Promise.all(clients);
    const after = answers.filter(({ beganMs }) => beganMs > revokedMs).map(({ status }) => status);
    const before = answers.filter(({ beganMs }) => beganMs <= revokedMs).map(({ status }) => status);
    expect([...new Set(after)]).toEqual([401]);
    expect(before.every((status) => status === 200 || status === 401)).toBe(true);
  });

  test("ends live answers within a second, those opened with a ticket too", async () => {
    const { id, token } = await door.create(API);
    const ticket = await door.ticket(token, ["api:events"]);
    const streams = [
      await door.ask(token, "/v1/api/events/live?tenant=a"),
      await fetch(`${door.url}/v1/api/events/live?tenant=a&ticket=${ticket}`),
    ];
    const readers = streams.map(({ body }) => body!.getReader());
    for (const reader of readers) {
      expect(Buffer.from((await reader.read()).value!).toString()).toContain('"a1"');
    }
    expect(await door.revoke(id)).toBe(200);
    const revokedMs = performance.now();
    for (const reader of readers) while (!(await reader.read()).done);
    expect(performance.now() - revokedMs).toBeLessThan(1_000);
    expect((await fetch(`${door.url}${READ}&ticket=${ticket}`)).status).toBe(401);
  });

  test("is known within a second or so to another process on the same warehouse", async () => {
    const other = new Tokens();
    const closing = new AbortController();
    await keepTokens({ ...door.world.door, tokens: other }, { until: closing.signal });
    const { id, token } = await door.create(API);
    const isKnown = () => other.callerOf(`Bearer ${token}`) !== undefined;
    await until("the other process knows it", isKnown, { holds: (known) => known, withinMs: 3_000 });
    await door.revoke(id);
    await until("the other process refuses it", isKnown, { holds: (known) => !known, withinMs: 3_000 });
    closing.abort();
  });
});

describe("scopes", () => {
  test("2, 3, 31: a tenant's token reads that tenant's rows, whatever it asks for", async () => {
    const tenants = await Promise.all(
      ["a", "b"].map((tenant) => door.create({ ...API, name: tenant, fixed_params: { tenant } })),
    );
    const rows = async ({ token }: Made, query = "") => {
      const answer = await door.ask(token, `/v1/api/events${query}`);
      return answer.ok ? ((await answer.json()) as { data: unknown }).data : answer.status;
    };
    const [a, b] = tenants as [Made, Made];
    for (let again = 0; again < 3; again++) {
      expect(await rows(a)).toEqual([{ id: "a1", tenant: "a" }]);
      expect(await rows(b)).toEqual([{ id: "b1", tenant: "b" }]);
    }
    for (const query of ["?tenant=b", "?tenant=b&tenant=a", "?tenant=a&tenant=b"]) {
      expect(await rows(a, query)).toBe(403);
    }
  });

  test("2: only an administrator's SQL reads the tokens' table, and it holds hashes", async () => {
    const { token } = await door.create({ name: "sql", scopes: ["sql:read", "api:*", "ingest:*"] });
    for (const text of [
      "SELECT * FROM weir.token",
      "SELECT hash FROM weir.`token`",
      "SELECT * FROM merge('weir', '')",
    ]) {
      const answer = await door.ask(token, "/v1/sql", { method: "POST", body: text });
      expect([text, answer.status >= 400 && answer.status < 500]).toEqual([text, true]);
    }
  });
});

describe("a restart", () => {
  test("keeps tokens with all that they say, revocations and ends", async () => {
    const [kept, revoked, short] = await Promise.all([
      door.create({ ...API, name: "kept", fixed_params: { tenant: "a" }, origins: ["https://app.example.com"] }),
      door.create({ ...API, name: "revoked" }),
      door.create({ ...API, name: "short", expires_in: "1 s" }),
    ]);
    const long = await door.create({ ...API, name: "long", expires_in: "30 days" });
    await door.revoke(revoked.id);
    const listed = async () => {
      const { tokens } = (await (await door.ask(door.world.token, "/v1/admin/tokens")).json()) as {
        tokens: { id: string; created_at: string | null }[];
      };
      const mine = tokens.filter(({ id }) => [kept.id, revoked.id, long.id].includes(id));
      // The warehouse's clock says when a token was created, and the door's own until it is read again.
      return mine.map(({ created_at, ...rest }) => rest).sort((one, two) => one.id.localeCompare(two.id));
    };
    const before = await listed();
    await until("the short one ends", () => statusOf(short.token), {
      holds: (status) => status === 401,
      withinMs: 5_000,
    });
    await door.close();
    door = await openKept(folder.path);
    expect(await listed()).toEqual(before);
    expect(before.map(({ id }) => id).sort()).toEqual([kept.id, long.id].sort());
    expect(await statusOf(kept.token, "/v1/api/events")).toBe(200);
    expect(await statusOf(kept.token, "/v1/api/events?tenant=b")).toBe(403);
    expect([await statusOf(revoked.token), await statusOf(short.token), await statusOf(long.token)]).toEqual([
      ...[401, 401, 200],
    ]);
    const headers = { origin: "https://app.example.com" };
    const fromPage = await door.ask(kept.token, "/v1/api/events", { headers });
    expect(fromPage.headers.get("access-control-allow-origin")).toBe(headers.origin);
  });
});

describe("secrets", () => {
  test("25: a token and its ticket are in no answer, no log, no metric, no table and no file", async () => {
    const { id, token } = await door.create({ ...API, name: "canary" });
    const ticket = await door.ticket(token, ["api:events"]);
    const secrets = [token, token.slice(8, 32), ticket.split(".")[2]!];
    const wrong = [`?tenant=a&ticket=${ticket}x`, `?ticket=${ticket}&nothing=1`, `?token=${token}`, `?${token}=1`];
    const answers = await Promise.all([
      ...wrong.map((query) => fetch(`${door.url}/v1/api/events${query}`)),
      ...[`/v1/api/events?tenant=a&ticket=${ticket}`, `/v1/admin/tokens?ticket=${ticket}`, "/metrics", "/healthz"].map(
        (path) => fetch(`${door.url}${path}`),
      ),
      ...["/v1/admin/tokens", "/v1/admin/definitions", "/v1/admin/actors", "/metrics", "/v1/admin/quarantine"].map(
        (path) => door.ask(door.world.token, path),
      ),
      door.ask(token, "/v1/api/nothing"),
      door.ask(`${token}x`, READ),
      door.ask(token, `/v1/admin/tokens/${id}`, { method: "DELETE" }),
      door.ask(token, `/v1/sql`, { method: "POST", body: "SELECT" }),
    ]);
    for (const answer of answers) {
      const text = [...answer.headers].join() + (await answer.text());
      expect([answer.url.slice(0, 60), secrets.some((secret) => text.includes(secret))]).toEqual([
        ...[answer.url.slice(0, 60), false],
      ]);
    }
    const rows = await door.world.sql("SELECT toString(tuple(*)) AS row FROM weir.token");
    expect(rows.length).toBeGreaterThan(0);
    const files = readdirSync(folder.path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const holding = (...texts: readonly string[]) =>
      files.filter((entry) => {
        const bytes = readFileSync(join(entry.parentPath, entry.name));
        return texts.some((text) => bytes.includes(text));
      });
    // What is known to be written is found, so what is not found is not written.
    expect(holding(id).length).toBeGreaterThan(0);
    expect(holding(...secrets).map(({ name }) => name)).toEqual([]);
    expect(secrets.filter((secret) => JSON.stringify(rows).includes(secret) || said.includes(secret))).toEqual([]);
  });
});

describe("weir token", () => {
  const weir = async (...args: readonly string[]) => {
    const child = Bun.spawn([process.execPath, MAIN, "token", ...args], {
      env: { ...process.env, WEIR_URL: door.url, WEIR_TOKEN: door.world.token },
      ...{ stdout: "pipe", stderr: "pipe" },
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { stdout: stdout.trim(), stderr, status: await child.exited };
  };

  test("creates, lists and revokes; the token alone is on stdout", async () => {
    const scopes = ["--scope", "api:events", "--scope", "ingest:event"];
    const made = await weir("create", "--name", "app", ...scopes, "--expires", "30 days", "--param", "tenant=a");
    expect([made.status, made.stdout]).toEqual([0, expect.stringMatching(/^weir_[\w-]{43}$/)]);
    expect(await statusOf(made.stdout, "/v1/api/events")).toBe(200);
    const { stdout } = await weir("list");
    const line = stdout.split("\n").find((text) => text.includes("  app  "))!;
    expect(line).toMatch(/^[0-9a-f]{16} {2}app {2}api:events ingest:event {2}until \S+Z {2}with tenant=a$/);
    expect(stdout).not.toContain(made.stdout);
    const id = line.slice(0, 16);
    expect(await weir("revoke", id)).toMatchObject({ status: 0, stdout: `${id} is revoked` });
    expect(await statusOf(made.stdout, "/v1/api/events")).toBe(401);
  });

  test("speaks JSON, and says what is wrong", async () => {
    const made = await weir("create", "--json", "--name", "app", "--scope", "api:*", "--origin", "https://a.example");
    expect(JSON.parse(made.stdout)).toMatchObject({ scopes: ["api:*"], origins: ["https://a.example"] });
    const wrong = await weir("create", "--name", "app", "--scope", "sql:prod");
    expect([wrong.status, wrong.stdout]).toEqual([1, ""]);
    expect(wrong.stderr).toContain("'sql:prod' is no scope");
    expect((await weir("revoke", "0")).status).toBe(1);
    expect(await weir("nothing")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("Run weir token --help."),
    });
  });
});
