/**
 * What a landing does when ClickHouse answers with an error: the real client and the real landing, over a server that plays ClickHouse.
 *
 *   batch ──land──▶ client ──▶ this server: an error, a few times ──▶ delayed, and again under the same token · bad records
 *                                                                      found · a view suspended
 *
 * Whatever the error was: in the end each good record is stored under one token,
 * and only what the engine means is quarantined.
 *
 * @module
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type Batch, LandingDelayed, Ledger, land, prepare, type Target, tokenOf } from "@weir/actors";
import { clickHouseWarehouse, crcOf, externalConnection, openRecords, RecordWriter } from "@weir/connectors";
import { Effect } from "effect";
import { PROJECTION } from "../simulation/fake_warehouse.ts";

const TARGET: Target = { statement: "ods.t", topic: "t", table: "t", catalog: 1, projection: PROJECTION };
const TRIES_MAX = 5;
const DEADLINE_MS = 60_000;
const VIEW = "weir_state.dwf__f__v1__fill";

interface Request {
  readonly kind: "insert" | "probe";
  readonly token: string | null;
  readonly rows: readonly string[];
}

/** How ClickHouse says no; `cut` ends the connection without an answer. */
type Refusal = { readonly status: number; readonly text: string } | "cut";

const error = (code: number, message: string, status = 500): Refusal => ({
  status,
  text: `Code: ${code}. DB::Exception: ${message} (NAME) (version 26.7.2.1 (official build))\n`,
});

let heard: Request[] = [];
let refuses: (request: Request, nth: number) => Refusal | undefined;

const server = createServer(async (http, answer) => {
  const [statement, ...rows] = (await text(http)).split("\n").filter((line) => line !== "");
  const token = new URL(http.url!, "http://clickhouse").searchParams.get("insert_deduplication_token");
  const request: Request = { kind: statement!.includes("probe") ? "probe" : "insert", token, rows };
  const refusal = refuses(request, heard.push(request) - 1);
  if (refusal === "cut") http.socket.destroy();
  else answer.writeHead(refusal?.status ?? 200).end(refusal?.text);
});
const port = () => (server.address() as AddressInfo).port;

beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => server.close());
beforeEach(() => {
  heard = [];
});

/** A batch of one partition with a record of each kind. */
function batchOf(kinds: readonly string[]): Batch {
  const writer = new RecordWriter();
  for (const [index, kind] of kinds.entries())
    writer.add({ key: null, value: Buffer.from(JSON.stringify({ id: `${index}`, kind })), timestampMs: index });
  const run = { firstOffset: 0, count: kinds.length, start: 0, end: writer.length };
  const records = openRecords({ topic: "t", partition: 0, next: kinds.length }, writer.packed(), [run]);
  const crc = crcOf(records, { start: 0, end: kinds.length }, 0);
  const part = {
    range: { partition: 0, from: 0, to: kinds.length, rows: kinds.length, crc },
    slices: [{ records, start: 0, end: kinds.length }],
    last: { offset: kinds.length - 1, timestampMs: kinds.length - 1, crc },
  };
  const intent = { epoch: 1, catalog: 1, atMs: 0, ranges: [part.range] };
  return { intent, parts: [part], token: tokenOf("ods.t", intent), tries: 0 };
}

/** Lands a batch as its table does, try after try; says what came of each, and what was suspended and quarantined. */
async function landed(batch: Batch) {
  const told: string[] = [];
  const ledger = {
    quarantine: (_: unknown, rows: readonly { offset: number }[]) =>
      Effect.sync(() => void told.push(`quarantined ${rows.map(({ offset }) => offset)}`)),
    finish: () => Effect.void,
  } as unknown as Ledger["Service"];
  const suspend = (view: string) => Effect.sync(() => void told.push(`suspended ${view}`));
  const program = Effect.gen(function* () {
    const prepared = yield* prepare(TARGET, batch.parts);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const deadlineMs = Date.now() + DEADLINE_MS;
      const outcome = yield* land(TARGET, { ...batch, tries }, { deadlineMs, nowMs: Date.now, prepared, suspend }).pipe(
        Effect.catchTag("LandingDelayed", Effect.succeed),
      );
      told.push(outcome instanceof LandingDelayed ? "delayed" : `stored ${(outcome as { stored: number }).stored}`);
      if (!(outcome instanceof LandingDelayed)) break;
    }
    return told;
  });
  const warehouse = clickHouseWarehouse(externalConnection(`http://127.0.0.1:${port()}`));
  return Effect.runPromise(program.pipe(Effect.provide(warehouse), Effect.provideService(Ledger, ledger)));
}

/** Refuses the first requests in this way. */
const first =
  (count: number, refusal: Refusal): typeof refuses =>
  (_, nth) =>
    nth < count ? refusal : undefined;

describe("the answer to an error of ClickHouse", () => {
  test.each<readonly [string, typeof refuses, readonly string[]]>([
    ["a cut connection: unknown, the same again", first(2, "cut"), ["delayed", "delayed", "stored 3"]],
    ["a status without a code: unknown", first(1, { status: 502, text: "bad gateway" }), ["delayed", "stored 3"]],
    ["a time-out: unknown", first(1, error(159, "Timeout exceeded: elapsed 60 seconds")), ["delayed", "stored 3"]],
    ["a number that nobody knows: unknown", first(1, error(99_999, "news")), ["delayed", "stored 3"]],
    [
      "too many parts: later",
      first(3, error(252, "Too many parts (3000)")),
      ["delayed", "delayed", "delayed", "stored 3"],
    ],
    ["memory: later", first(1, error(241, "Memory limit exceeded")), ["delayed", "stored 3"]],
    [
      "memory behind a view: unknown",
      first(1, error(241, `Memory: while pushing to view ${VIEW}`)),
      ["delayed", "stored 3"],
    ],
    ["a read-only table: later", first(2, error(242, "Table is in readonly mode")), ["delayed", "delayed", "stored 3"]],
    ["a full disk: later", first(1, error(243, "Cannot reserve 1.00 MiB")), ["delayed", "stored 3"]],
    [
      "a missing right, probes too: nothing is quarantined",
      first(8, error(497, "Not enough privileges", 403)),
      ["delayed", "delayed", "stored 3"],
    ],
    [
      "a missing table, probes too: nothing is quarantined",
      first(8, error(60, "Unknown table", 404)),
      ["delayed", "delayed", "stored 3"],
    ],
    [
      "a deadline on its clock: good records stay good",
      (request, nth) => (nth === 0 && request.kind === "insert" ? error(395, "deadline") : undefined),
      ["delayed", "stored 3"],
    ],
    [
      "a view that fails: suspended, the same again",
      first(1, error(153, `Division by zero: while pushing to view ${VIEW}`)),
      [`suspended ${VIEW}`, "stored 3"],
    ],
  ])("%s", async (_, plan, expected) => {
    refuses = plan;
    const batch = batchOf(["good", "good", "good"]);
    expect(await landed(batch)).toEqual([...expected]);
    const inserts = heard.filter(({ kind }) => kind === "insert");
    expect(new Set(inserts.map(({ token }) => token))).toEqual(new Set([batch.token]));
    expect(new Set(inserts.map(({ rows }) => rows.length))).toEqual(new Set([3]));
    expect(heard.filter(({ kind, token }) => kind === "probe" && token !== null)).toEqual([]);
  });

  test("a record that only the engine refuses: found by halves, left out, the others under the same token", async () => {
    refuses = ({ rows }) =>
      rows.some((row) => row.includes('"odd"')) ? error(27, "Cannot parse input", 400) : undefined;
    const batch = batchOf(["good", "odd", "good", "good"]);
    expect(await landed(batch)).toEqual(["quarantined 1", "stored 3"]);
    const inserts = heard.filter(({ kind }) => kind === "insert");
    expect(inserts.map(({ token, rows }) => [token, rows.length])).toEqual([
      [batch.token, 4],
      [batch.token, 3],
    ]);
  });
});
