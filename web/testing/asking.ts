/**
 * Asking the door in a test: events in, answers out, and errors that say what to correct.
 *
 *   ingest · rejected ──POST /v1/ingest?wait=1──▶      sql · api · quarantine · check ──▶ rows
 *
 * @module
 */
import { qualifiedName } from "@weir/sql";
import type { Platform } from "./platform.ts";
import { bound, type SqlValue, textOf } from "./statement.ts";

/** Something that a test asked for and the warehouse did not do; the message says why. */
export class WarehouseRefused extends Error {
  override readonly name = "WarehouseRefused";
}

/** An event: what a client would send as JSON. Whole numbers beyond 2^53 and Decimals are best sent as text. */
export type TestEvent = Readonly<Record<string, unknown>>;

/** Why the door refused one event. */
export interface Rejected {
  /** Counted from 0. */
  readonly index: number;
  /** Null when the whole event is at fault. */
  readonly column: string | null;
  readonly reason: string;
}

/** An event that could not be stored. */
export interface Quarantined {
  readonly source: string;
  readonly column: string | null;
  readonly reason: string;
  /** The event as it came. */
  readonly raw: string;
}

/** What a recomputation found. */
export interface Checked {
  readonly model: string;
  readonly rows: number;
}

/** Values of an API's parameters; undefined is not sent. */
export type ApiParams = Readonly<Record<string, SqlValue | undefined>>;

interface Ingested {
  readonly rejected?: readonly Rejected[];
  readonly visible?: boolean;
  readonly suspended?: readonly string[];
  readonly error?: { readonly message: string; readonly hint: string };
}

/** Names of refused events in one message. */
const SHOWN_MAX = 10;
/** How long the quarantine is waited for. */
const QUARANTINE_MS_MAX = 5_000;
const QUARANTINE_POLL_MS = 10;
/** Events that one look at the quarantine shows. */
const QUARANTINE_ROWS_MAX = 500;

/** Sends events and waits until they can be queried; throws with every reason if one is refused. */
export async function ingest(platform: Platform, source: string, events: readonly TestEvent[]): Promise<void> {
  const { rejected = [], suspended = [], visible } = await send(platform, source, events);
  if (rejected.length > 0) {
    const shown = rejected.slice(0, SHOWN_MAX).map((one) => {
      const column = one.column === null ? "" : `${one.column}: `;
      return `  event ${one.index}: ${column}${one.reason}\n    ${JSON.stringify(events[one.index])?.slice(0, 200)}`;
    });
    const more = rejected.length > SHOWN_MAX ? [`  and ${rejected.length - SHOWN_MAX} more`] : [];
    const some = `${rejected.length} of ${events.length} ${events.length === 1 ? "event" : "events"}`;
    throw new WarehouseRefused(
      [`Cannot ingest into '${source}': ${some} refused. To test that, use rejected().`, ...shown, ...more].join("\n"),
    );
  }
  if (visible === false) throw new WarehouseRefused(`Cannot ingest into '${source}': the events did not land in time.`);
  if (suspended.length === 0) return;
  const why = platform.door.catalog.all().flatMap(({ definition, entry }) => {
    const name = qualifiedName(definition);
    return suspended.includes(name) ? [`\n  ${name}: ${entry.note}`] : [];
  });
  throw new WarehouseRefused(`Cannot ingest into '${source}': models above it cannot take the rows.${why.join("")}`);
}

/** Sends events and answers which were refused; the others are ingested. */
export async function rejected(
  platform: Platform,
  source: string,
  events: readonly TestEvent[],
): Promise<readonly Rejected[]> {
  return (await send(platform, source, events)).rejected ?? [];
}

async function send(platform: Platform, source: string, events: readonly TestEvent[]): Promise<Ingested> {
  if (events.length === 0) return {};
  const response = await platform.request(`/v1/ingest/${encodeURIComponent(source)}?wait=1`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  const answer = (await response.json()) as Ingested;
  // A request of which every event is refused is an error with the reasons.
  if (!response.ok && answer.rejected === undefined) throw refusedBy(answer);
  return answer;
}

/** Runs a SELECT as an administrator; answers rows as `POST /v1/sql` does. */
export async function ask(
  platform: Platform,
  { text, params }: { readonly text: string; readonly params: Readonly<Record<string, string>> },
): Promise<readonly unknown[]> {
  const named = Object.entries(params).map(([name, value]): [string, string] => [`param_${name}`, value]);
  const search = new URLSearchParams(named);
  const response = await platform.request(`/v1/sql?${search}`, { method: "POST", body: text });
  const answer = (await response.json()) as { data: readonly unknown[] } & Ingested;
  if (!response.ok) throw refusedBy(answer, text);
  return answer.data;
}

/** A statement from what `sql` was called with: a template, or a text and its parameters. */
export function statementOf(statement: TemplateStringsArray | string, values: readonly unknown[]) {
  if (typeof statement !== "string") return bound(statement, values as readonly SqlValue[]);
  const params = (values[0] ?? {}) as Readonly<Record<string, SqlValue>>;
  return {
    text: statement,
    params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, textOf(value)])),
  };
}

/** Asks a published API; answers its `data`. */
export async function askApi(platform: Platform, id: string, params: ApiParams): Promise<readonly unknown[]> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue;
    const items = Array.isArray(value) ? value : [value];
    for (const item of items) search.append(name, item instanceof Date ? item.toISOString() : String(item));
  }
  const response = await platform.request(`/v1/api/${encodeURIComponent(id)}?${search}`);
  const answer = (await response.json()) as { data: readonly unknown[] } & Ingested;
  if (!response.ok) throw refusedBy(answer);
  return answer.data;
}

/** What could not be stored, the oldest first. */
export async function quarantine(platform: Platform, source: string | undefined): Promise<readonly Quarantined[]> {
  await untilRefusalsAreKept(platform);
  const search = new URLSearchParams({ limit: String(QUARANTINE_ROWS_MAX), ...(source && { source }) });
  const response = await platform.request(`/v1/admin/quarantine?${search}`);
  const answer = (await response.json()) as { rows: readonly Quarantined[] } & Ingested;
  if (!response.ok) throw refusedBy(answer);
  return answer.rows.map(({ source, column, reason, raw }) => ({ source, column, reason, raw })).reverse();
}

/** Waits for what the door refused, which reaches the quarantine a moment after the answer. */
export async function untilRefusalsAreKept(platform: Platform): Promise<void> {
  const deadlineMs = performance.now() + QUARANTINE_MS_MAX;
  while (performance.now() < deadlineMs) {
    const [{ kept }] = (await ask(platform, {
      text: "SELECT toUInt32(countIf(offset < 0)) AS kept FROM weir.quarantine",
      params: {},
    })) as readonly [{ kept: number }];
    if (kept >= platform.refusedCount()) return;
    await Bun.sleep(QUARANTINE_POLL_MS);
  }
  throw new WarehouseRefused("Cannot read the quarantine: what was refused did not reach it in time.");
}

/** Recomputes models over their sources; throws with the differences if a model has any. */
export async function check(platform: Platform, name: string | undefined): Promise<readonly Checked[]> {
  const { catalog } = platform.door;
  const models = catalog
    .all()
    .flatMap(({ definition }) => (definition.kind === "model" ? qualifiedName(definition) : []));
  const checked: Checked[] = [];
  for (const model of name === undefined ? models : [name]) {
    const path = `/v1/admin/definitions/${encodeURIComponent(model)}/check`;
    const response = await platform.request(path, { method: "POST" });
    const answer = (await response.json()) as CheckAnswer & Ingested;
    if (!response.ok) throw refusedBy(answer);
    const { rows, differing, differences } = answer;
    if (differing > 0) {
      const shown = differences.map(
        ({ batch, live }) => `\n  computed ${batch ?? "nothing"}\n  stored   ${live ?? "nothing"}`,
      );
      throw new WarehouseRefused(`Cannot confirm ${model}: ${differing} of ${rows} rows differ.${shown.join("")}`);
    }
    checked.push({ model, rows });
  }
  return checked;
}

interface CheckAnswer {
  readonly rows: number;
  readonly differing: number;
  readonly differences: readonly { readonly batch: string | null; readonly live: string | null }[];
}

function refusedBy({ error }: Ingested, text?: string): WarehouseRefused {
  const said = error === undefined ? "Cannot do it: the door did not say why." : `${error.message} ${error.hint}`;
  return new WarehouseRefused(text === undefined ? said : `${said}\n  in: ${text.trim()}`);
}
