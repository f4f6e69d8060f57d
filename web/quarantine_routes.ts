/**
 * The quarantine's routes: look at it, replay it, drop from it.
 *
 *   GET  /v1/admin/quarantine ?source ?since ?column ?reason ?all ──▶ rows, newest first
 *   GET  …/groups             the same filters                    ──▶ what is wrong, how often
 *   GET  …/<id>                                                   ──▶ one row, whole
 *   POST …/replay, …/drop     {"ids"} or {"source", …}            ──▶ each row's outcome, and where the next page begins
 *
 * What was replayed or dropped is left out unless `all=1` asks for it.
 *
 * @module
 */
import { type QuarantineAsk, type QuarantineFilter, quarantineOf, type RowOutcome } from "@weir/actors";
import { Hono } from "hono";
import { z } from "zod";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, Refusal } from "./errors.ts";
import { INSTANT_FORM, instantMs } from "./instant.ts";
import { readJsonBody } from "./json_body.ts";
import {
  type Cursor,
  cursorOf,
  QUARANTINE_LIMITS,
  quarantined,
  quarantineGroups,
  quarantineRow,
} from "./quarantine.ts";

/** Characters of a filter's values. */
const TEXT_CHARS_MAX = 500;

const text = z.string().min(1).max(TEXT_CHARS_MAX);

/** Which rows, and how. */
export const askSchema = z
  .strictObject({
    ids: z
      .array(text)
      .min(1)
      .max(QUARANTINE_LIMITS.rowsMax)
      .optional()
      .describe("Rows by name; without it, all of a source."),
    source: text.optional(),
    since: text.optional().describe(`Quarantined since: ${INSTANT_FORM}.`),
    column: z.string().max(TEXT_CHARS_MAX).optional().describe("The column at fault; empty: the whole event."),
    reason: text.optional().describe("A part of the reason."),
    include_refused: z.boolean().default(false).describe("Also replay what the door refused: its sender was told."),
    dry_run: z.boolean().default(false),
    after: text.optional().describe("The `next` of an answer."),
  })
  .refine(({ ids, source }) => (ids === undefined) !== (source === undefined), {
    message: "Say which rows: either `ids` or `source`",
  });

type Asked = z.output<typeof askSchema>;

/** The routes below `/v1/admin/quarantine`. */
export function quarantineRoutes(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const nowMs = () => door.nowMs?.() ?? Date.now();
  const quarantine = quarantineOf({ ...door, nowMs });

  app.get("/", async (c) => {
    const query = c.req.query();
    const page = { filter: filterOf(query, nowMs()), limit: limitOf(query.limit), before: beforeOf(query.before) };
    return c.json(await orRefuse(door.run(quarantined(door.warehouse, page))));
  });

  app.get("/groups", async (c) => {
    const query = c.req.query();
    const asked = { filter: filterOf(query, nowMs()), limit: limitOf(query.limit) };
    return c.json(await orRefuse(door.run(quarantineGroups(door.warehouse, asked))));
  });

  app.get("/:id", async (c) => {
    const id = c.req.param("id");
    const row = await orRefuse(door.run(quarantineRow(door.warehouse, id)));
    if (row !== undefined) return c.json(row);
    const message = `Cannot show '${id.slice(0, 100)}': the quarantine has no such row.`;
    throw new Refusal(
      404,
      "unknown_row",
      message,
      "weir quarantine list --rows (GET /v1/admin/quarantine) shows them; they are kept for 90 days.",
    );
  });

  app.post("/replay", async (c) => {
    const asked = await readJsonBody(c.req.raw, askSchema);
    const report = await orRefuse(door.run(quarantine.replay(askOf(asked, c.get("caller")?.name ?? "", nowMs()))));
    for (const { id, isNew } of report.rows) {
      // A replayed record is an event that the log has taken.
      if (isNew) door.counters.add("weir_events_accepted_total", { source: id.split(".", 1)[0]! }, 1);
    }
    return c.json(shown(report));
  });

  app.post("/drop", async (c) => {
    const asked = await readJsonBody(c.req.raw, askSchema);
    const ask = askOf({ ...asked, include_refused: true }, c.get("caller")?.name ?? "", nowMs());
    return c.json(shown(await orRefuse(door.run(quarantine.drop(ask)))));
  });
  return app;
}

/** Rows that are named are taken as they are, so that each gets its answer; others only if they wait. */
function askOf(asked: Asked, author: string, nowMs: number): QuarantineAsk {
  const { ids, source, since, column, reason, include_refused, dry_run, after } = asked;
  const narrow = { ids, source, column, reason: reasonOf(reason), sinceMs: sinceOf(since, nowMs) };
  const filter = ids === undefined ? { ...narrow, withoutRefused: !include_refused, withoutDone: true } : narrow;
  return { filter, after, isDryRun: dry_run, author };
}

function shown({ rows, next }: { readonly rows: readonly RowOutcome[]; readonly next: string | undefined }) {
  const counts: Record<string, number> = {};
  for (const { outcome } of rows) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return {
    counts,
    rows: rows.map(({ id, outcome, column, reason, place }) => ({
      ...{ id, outcome, column: column ?? null, reason: reason ?? null },
      ...(place === undefined ? {} : { partition: place.partition, offset: place.offset }),
    })),
    next: next ?? null,
  };
}

function filterOf(query: Readonly<Record<string, string | undefined>>, nowMs: number): QuarantineFilter {
  const { source, since, column, reason, all } = query;
  for (const value of [source, column, reason]) {
    if (value !== undefined && value.length > TEXT_CHARS_MAX)
      throw new Refusal(400, "bad_parameter", "Cannot use the filter: it is too long.", `At most ${TEXT_CHARS_MAX}.`);
  }
  return { source, column, reason: reasonOf(reason), sinceMs: sinceOf(since, nowMs), withoutDone: all !== "1" };
}

/** A reason as a group shows it begins with an ellipsis for the value. */
function reasonOf(text: string | undefined): string | undefined {
  return text?.replace(/^… /, "");
}

function sinceOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = instantMs(text, nowMs);
  if (ms !== undefined) return ms;
  const message = `Cannot use '${text.slice(0, 100)}' as \`since\`.`;
  throw new Refusal(400, "bad_parameter", message, `Send ${INSTANT_FORM}.`, "since");
}

function limitOf(text = String(QUARANTINE_LIMITS.rows)): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= QUARANTINE_LIMITS.rowsMax) return limit;
  throw new Refusal(400, "bad_parameter", "Cannot use the limit.", `Say 1 to ${QUARANTINE_LIMITS.rowsMax}.`, "limit");
}

function beforeOf(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  const cursor = cursorOf(text);
  if (cursor !== undefined) return cursor;
  throw new Refusal(
    400,
    "bad_parameter",
    "Cannot use `before`.",
    "Send the `next` of an answer, or a time such as 2026-01-31T00:00:00Z.",
    "before",
  );
}
