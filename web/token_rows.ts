/**
 * Tokens in the warehouse: what makes them durable, and how the copy in memory learns of them.
 *
 *   create · revoke ──▶ weir.token ──at start, then every second──▶ Tokens
 *
 * Rows are only added, and a revocation wins over everything: reading rows
 * twice, or late, changes nothing. While the warehouse is away the copy serves;
 * a revocation is in force here at once, and written when the warehouse is back.
 *
 * @module
 */
import type { WarehouseFailed } from "@weir/connectors";
import { Effect, Exit, Schedule } from "effect";
import type { Door } from "./door.ts";
import { stderrLogger } from "./stderr_logger.ts";
import type { KnownToken } from "./tokens.ts";

/** How the copy is kept. */
export const TOKEN_ROWS = {
  refreshEveryMs: 1_000,
  /** Rows are read again for so long: the clocks of several writers differ, and replicas lag. */
  overlapMs: 600_000,
  writeTriesMax: 8,
  writeMsMax: 5_000,
  loadTriesMax: 60,
} as const;

type TokenDoor = Pick<Door, "warehouse" | "tokens" | "run">;

interface Row {
  readonly id: string;
  readonly event: "created" | "revoked";
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly origins: readonly string[];
  readonly fixed_params: string;
  readonly expires_ms: number | null;
  readonly author: string;
  readonly at_ms: number;
}

const INSERT =
  "INSERT INTO weir.token (id, event, hash, name, scopes, origins, fixed_params, expires_at, author) FORMAT JSONEachRow";
const INSERT_SETTINGS = { async_insert: 0, insert_deduplicate: 1, wait_end_of_query: 1 } as const;

/** Writes a token's row; a lost answer is asked for again, and stores it once. */
export function storeCreated(door: TokenDoor, { id, hash, caller, expiresMs, createdBy = "" }: KnownToken) {
  const { name, scopes, origins = [], fixedParams = new Map() } = caller;
  return store(door, {
    ...{ id, event: "created", hash: Buffer.from(hash).toString("hex"), name, scopes, origins },
    fixed_params: JSON.stringify(Object.fromEntries(fixedParams)),
    expires_at: expiresMs === undefined ? null : new Date(expiresMs).toISOString().slice(0, -1).replace("T", " "),
    author: createdBy,
  });
}

/** Writes a revocation. */
export function storeRevoked(door: TokenDoor, { id, author }: { readonly id: string; readonly author: string }) {
  return store(door, { id, event: "revoked", author });
}

function store(
  { warehouse }: TokenDoor,
  row: Pick<Row, "id" | "event" | "author"> & Readonly<Record<string, unknown>>,
): Effect.Effect<unknown, WarehouseFailed> {
  const insert = warehouse.insert({
    statement: INSERT,
    body: [Buffer.from(JSON.stringify(row))],
    settings: { ...INSERT_SETTINGS, insert_deduplication_token: `token:${row.id}:${row.event}` },
  });
  const deadlineMs = Date.now() + TOKEN_ROWS.writeMsMax;
  return Effect.retry(insert, {
    while: ({ outcome }) => outcome !== "refused" && Date.now() < deadlineMs,
    schedule: Schedule.exponential("50 millis"),
    times: TOKEN_ROWS.writeTriesMax,
  });
}

/** Revocations that are in force here and not yet written, with who asked for them. */
const UNWRITTEN = new WeakMap<Door["tokens"], Map<string, string>>();

/** Revokes a token: here at once, for good when it is written. Fails when it could not be written yet; then it will be. */
export const revokeToken = Effect.fn("revokeToken")(function* (
  door: TokenDoor,
  revoked: { readonly id: string; readonly author: string },
) {
  const unwritten = UNWRITTEN.get(door.tokens) ?? new Map<string, string>();
  UNWRITTEN.set(door.tokens, unwritten.set(revoked.id, revoked.author));
  door.tokens.revoke(revoked.id);
  yield* storeRevoked(door, revoked);
  unwritten.delete(revoked.id);
});

/** Whether a token's revocation waits to be written. */
export function isUnwritten({ tokens }: TokenDoor, id: string): boolean {
  return UNWRITTEN.get(tokens)?.has(id) === true;
}

/** How long the copy is kept, and how often it is read again. */
interface Keeping {
  readonly until: AbortSignal;
  readonly everyMs?: number;
}

/**
 * Loads every token that is in force, then keeps the copy until `until` is aborted: what other processes
 * create or revoke is known here within a second. Rejects when the warehouse does not answer at first.
 */
export async function keepTokens(
  door: TokenDoor,
  { until, everyMs = TOKEN_ROWS.refreshEveryMs }: Keeping,
): Promise<void> {
  const first = await door.run(
    Effect.retry(read(door, 0), { schedule: Schedule.spaced("500 millis"), times: TOKEN_ROWS.loadTriesMax }),
  );
  if (Exit.isFailure(first)) throw new Error("Cannot load the tokens: the warehouse does not answer.");
  void refresh(door, { until, everyMs, newestMs: first.value });
}

async function refresh(
  door: TokenDoor,
  { until, everyMs, newestMs }: Required<Keeping> & { newestMs: number },
): Promise<void> {
  let isAway = false;
  while (await paused(until, everyMs)) {
    door.tokens.sweep();
    const sinceMs = Math.max(1, newestMs - TOKEN_ROWS.overlapMs);
    const exit = await door.run(Effect.andThen(writeLate(door), read(door, sinceMs)));
    if (Exit.isSuccess(exit)) newestMs = Math.max(newestMs, exit.value);
    // Once for each time that it is away.
    if (Exit.isFailure(exit) && !isAway && !until.aborted) {
      const log = Effect.logWarning("tokens cannot be read again; those known here serve, others are refused");
      await door.run(Effect.provide(log, stderrLogger));
    }
    isAway = Exit.isFailure(exit);
  }
}

/** Resolves after `ms`, with false as soon as the signal is aborted. */
function paused(until: AbortSignal, ms: number): Promise<boolean> {
  if (until.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const stop = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      until.removeEventListener("abort", stop);
      resolve(true);
    }, ms);
    // A process that could not open its door must be able to end.
    timer.unref();
    until.addEventListener("abort", stop, { once: true });
  });
}

const writeLate = Effect.fnUntraced(function* (door: TokenDoor) {
  const unwritten = UNWRITTEN.get(door.tokens);
  for (const [id, author] of unwritten ?? []) {
    yield* storeRevoked(door, { id, author });
    unwritten!.delete(id);
  }
});

/** Reads what was written since a moment, 0 for everything in force; answers when the newest row was. */
const read = Effect.fnUntraced(function* ({ warehouse, tokens }: TokenDoor, sinceMs: number) {
  const since = sinceMs === 0 ? "event = 'created'" : `at >= fromUnixTimestamp64Milli(${Math.trunc(sinceMs)})`;
  const rows = yield* warehouse.rows<Row>(
    "admin",
    `SELECT id, event, hash, name, scopes, origins, fixed_params, author,
            toUnixTimestamp64Milli(expires_at) AS expires_ms, toUnixTimestamp64Milli(at) AS at_ms
     FROM weir.token
     WHERE ${since} AND (event = 'revoked' OR id NOT IN (SELECT id FROM weir.token WHERE event = 'revoked'))`,
    { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: 30 },
  );
  for (const row of rows) {
    if (row.event === "revoked") tokens.revoke(row.id);
    else tokens.add(tokenOf(row));
  }
  return rows.reduce((newest, { at_ms }) => Math.max(newest, at_ms), 0);
});

function tokenOf({ id, hash, name, scopes, origins, fixed_params, expires_ms, author, at_ms }: Row): KnownToken {
  const fixed = Object.entries(JSON.parse(fixed_params) as Record<string, string[]>);
  return {
    ...{ id, hash: new Uint8Array(Buffer.from(hash, "hex")), createdMs: at_ms, createdBy: author },
    expiresMs: expires_ms ?? undefined,
    caller: { name, scopes, origins, ...(fixed.length > 0 ? { fixedParams: new Map(fixed) } : {}) },
  };
}
