/**
 * Positions at the door: where a source's partitions stand, and how an operator moves them.
 *
 *   GET  /v1/admin/sources/<source>/position                       every partition, and what was accepted as lost
 *   POST … {"accept_gap": true}                                    stopped partitions go on behind what is gone
 *   POST … {"to": "earliest"}, with "allow_destructive": true      the source begins anew, in a new epoch
 *
 * `dry_run` says what would happen. Mounted below `/v1/admin`, which needs the scope `admin`.
 *
 * @module
 */
import { type PartitionAt, positionOf, type ResetReport, type ResetTo } from "@weir/actors";
import { literal, qualifiedName } from "@weir/sql";
import { Hono } from "hono";
import { z } from "zod";
import { changeOf, wrong } from "./definitions.ts";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, Refusal, refusalOfError } from "./errors.ts";
import { INSTANT_FORM, instantMs } from "./instant.ts";
import { readJsonBody } from "./json_body.ts";
import { runningSource } from "./running_source.ts";

/** Characters of `to`: an offset for each of 1,024 partitions fits. */
const TO_CHARS_MAX = 20_000;
/** Accepted gaps that are shown. */
const GAPS_MAX = 100;
const LOOKING = "look at the positions of";

/** What a change of positions takes. */
export const positionBody = z
  .strictObject({
    accept_gap: z.boolean().default(false).describe("Go on behind records that the log no longer has."),
    to: z
      .string()
      .min(1)
      .max(TO_CHARS_MAX)
      .optional()
      .describe(`Begin anew: earliest, latest, ${INSTANT_FORM}, or an offset for each partition: 0:120,1:98.`),
    dry_run: z.boolean().default(false),
    allow_destructive: z.boolean().default(false).describe("A reset drops the rows that are stored."),
  })
  .refine(({ accept_gap, to }) => accept_gap === (to === undefined), {
    message: "Say what is to be done: either `accept_gap` or `to`",
  })
  .refine(({ accept_gap, allow_destructive }) => !(accept_gap && allow_destructive), {
    message: "Leave out `allow_destructive`: `accept_gap` drops no row. It belongs to `to`",
  });

/** The routes below `/v1/admin/sources` that are about positions. */
export function positionRoutes(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const { positions } = door.catalog;

  app.get("/:source/position", async (c) => {
    const name = c.req.param("source");
    const { applied, target } = runningSource(door, name, LOOKING);
    const { topic } = applied.source;
    const { statement } = target;
    const [partitions, gaps] = await Promise.all([
      orRefuse(door.run(positions.look(name))),
      orRefuse(door.run(door.warehouse.rows<GapRow>("admin", gapsSql(statement), READ))),
    ]);
    const visible = door.sources.visible.of(statement);
    return c.json({
      ...{ source: name, topic, partitions: partitions.map((at) => shown(at, visible)) },
      gaps: gaps.map(({ from_offset, to_offset, ...gap }) => ({ ...gap, from: from_offset, to: to_offset })),
    });
  });

  app.post("/:source/position", async (c) => {
    const name = c.req.param("source");
    const asked = await readJsonBody(c.req.raw, positionBody);
    runningSource(door, name, asked.to === undefined ? "accept a gap of" : "reset");
    const author = c.get("caller")?.name ?? "";
    const { dry_run: dryRun, allow_destructive: allowDestructive } = asked;
    if (asked.to === undefined) {
      const gaps = await orRefuse(door.run(positions.accept(name, { author, isDryRun: dryRun })));
      return c.json({ done: !dryRun, gaps: gaps.map(({ last: _, ...gap }) => gap) });
    }
    const to = resetTo(asked.to, door.nowMs?.() ?? Date.now());
    if (to === undefined) {
      const hint = `Say earliest, latest, ${INSTANT_FORM}, or an offset for each partition: 0:120,1:98.`;
      throw new Refusal(400, "bad_parameter", `Cannot use '${asked.to.slice(0, 100)}' as \`to\`.`, hint, "/to");
    }
    const options = { author, dryRun, allowDestructive };
    const report = await orRefuse(door.run(positions.reset(name, { to, options })));
    const problem = dryRun ? undefined : problemOf(name, report);
    const body = reset(report);
    return problem === undefined ? c.json(body) : c.json({ error: problem.body, ...body }, 409);
  });
  return app;
}

const OFFSETS = /^\d{1,5}:\d{1,16}(?:,\d{1,5}:\d{1,16})*$/;

/** Reads `to`; undefined if it is nothing to begin at. An offset that is said twice is none. */
export function resetTo(text: string, nowMs: number): ResetTo | undefined {
  if (text === "earliest" || text === "latest") return { kind: text };
  if (OFFSETS.test(text)) {
    const pairs = text.split(",").map((pair) => pair.split(":").map(Number) as [number, number]);
    const offsets = new Map(pairs);
    const isSafe = pairs.every(([, offset]) => Number.isSafeInteger(offset));
    return isSafe && offsets.size === pairs.length ? { kind: "offsets", offsets } : undefined;
  }
  const ms = instantMs(text, nowMs);
  return ms === undefined ? undefined : { kind: "time", ms };
}

interface GapRow {
  readonly partition: number;
  readonly epoch: number;
  readonly from_offset: number;
  readonly to_offset: number;
  readonly author: string;
  readonly accepted_at: string;
}

const READ = { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: 2 } as const;

const gapsSql = (statement: string) =>
  `SELECT partition, epoch, \`from\` AS from_offset, max(\`to\`) AS to_offset, argMax(gap.author, \`to\`) AS author,
          formatDateTime(max(at), '%Y-%m-%dT%H:%i:%SZ', 'UTC') AS accepted_at
   FROM weir.gap AS gap WHERE statement = ${literal(statement)} AND event = 'accepted'
   GROUP BY partition, epoch, \`from\` ORDER BY accepted_at DESC, partition LIMIT ${GAPS_MAX}`;

function shown({ range, commit, located, epoch, ...at }: PartitionAt, visible: ReadonlyMap<number, number>) {
  const { partition, earliest, latest } = range;
  const gap = located.kind === "stopped" ? located.gap : undefined;
  return {
    ...{ partition, epoch: located.kind === "place" ? located.epoch : epoch },
    next: positionOf({ range, commit, located, epoch, ...at }),
    committed: commit?.offset ?? null,
    visible: visible.get(partition) ?? null,
    ...{ earliest, latest },
    stopped: located.kind === "stopped" ? located.note : null,
    gap: gap === undefined ? null : { from: gap.from, to: gap.to },
  };
}

function reset({ partitions, loss, applied }: ResetReport) {
  const { changes, errors, done, catalog } = applied;
  return {
    done,
    catalog,
    partitions: partitions.map(({ partition, epoch, from, next, toRead, skipped, sinceMs }) => ({
      ...{ partition, epoch, from, to: next, to_read: toRead, skipped },
      since: sinceMs === null ? null : new Date(sinceMs).toISOString(),
    })),
    ...{ rows: loss.rows, rows_gone: loss.rowsGone },
    changes: changes.map(changeOf),
    errors: errors.map(wrong),
  };
}

/** Why nothing was done. */
function problemOf(name: string, { loss, applied }: ResetReport): Refusal | undefined {
  const { done, errors, changes } = applied;
  if (done) return undefined;
  const [first] = errors;
  if (first !== undefined) return refusalOfError(first);
  for (const { change } of changes) {
    if (change.kind !== "refuse") continue;
    const at = qualifiedName(change.definition);
    return new Refusal(409, "change_refused", `Cannot reset ods.${name}: ${at}: ${change.reason}.`, change.hint, at);
  }
  const message = `Cannot reset ods.${name}: its ${loss.rows} rows would go, ${loss.rowsGone} of them for good, and what the models above it made of them.`;
  const hint = 'Look at it with --dry-run ("dry_run"); say --allow-destructive ("allow_destructive": true) to do it.';
  return new Refusal(409, "destructive", message, hint, `ods.${name}`);
}
