/**
 * What an operator sees and changes: actors, the quarantine, definitions.
 *
 *   /v1/admin/actors · /v1/admin/quarantine · /v1/admin/definitions ──▶ registry · warehouse · sources
 *
 * All of it needs the scope `admin`.
 *
 * @module
 */
import type { Applied, RunningSource } from "@weir/actors";
import type { Change, DefinitionError } from "@weir/sql";
import { Hono } from "hono";
import { z } from "zod";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, Refusal, refusalOfError } from "./errors.ts";
import { scoped } from "./guard.ts";
import { lagIn } from "./lag.ts";
import { type Cursor, cursorOf, QUARANTINE_LIMITS, quarantined } from "./quarantine.ts";
import { readBody } from "./request_body.ts";

/** Bounds of the definitions in one request. */
export const DEFINITION_LIMITS = { bytesMax: 4 * 2 ** 20, filesMax: 1_000, pathCharsMax: 300 } as const;

const definitionsBody = z.strictObject({
  files: z
    .array(z.strictObject({ path: z.string().min(1).max(DEFINITION_LIMITS.pathCharsMax), text: z.string() }))
    .min(1)
    .max(DEFINITION_LIMITS.filesMax)
    .superRefine((files, context) => {
      const names = files.map(({ path }) => path.split("/").slice(-2).join("/"));
      const index = names.findIndex((name, at) => names.indexOf(name) !== at);
      // Each would be planned against what is in force, and the second would replace the first one's new table.
      if (index >= 0)
        context.addIssue({ code: "custom", path: [index, "path"], message: "two files define the same thing" });
    }),
  dry_run: z.boolean().default(false),
  allow_destructive: z.boolean().default(false),
});

/** The routes below `/v1/admin`. */
export function admin(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.use(scoped("admin"));

  app.get("/actors", async (c) => {
    const sources = await Promise.all(door.sources.all().map((running) => lagOf(door, running)));
    return c.json({ actors: door.sources.registry.reports(), sources });
  });

  app.get("/quarantine", async (c) => {
    const { source, limit, before } = c.req.query();
    return c.json(
      await orRefuse(
        door.run(quarantined(door.warehouse, { source, limit: limitOf(limit), before: beforeOf(before) })),
      ),
    );
  });

  app.get("/definitions", (c) => c.json({ definitions: door.sources.all().map(described) }));

  app.post("/definitions", async (c) => {
    const body = definitionsBody.safeParse(await readJson(c.req.raw));
    if (!body.success) throw refusalOfError(body.error);
    const { files, dry_run: dryRun, allow_destructive: allowDestructive } = body.data;
    const author = c.get("caller")?.name ?? "";
    const applied = await orRefuse(door.run(door.sources.apply(files, { author, dryRun, allowDestructive }))).catch(
      (error: unknown) => {
        throw changeFailed(error);
      },
    );
    const problem = problemOf(applied, { dryRun, allowDestructive });
    const { changes, errors, done } = applied;
    const answer = { changes: changes.map(changed), errors: errors.map(wrong), done };
    return problem === undefined
      ? c.json(answer)
      : c.json({ error: problem.body, ...answer }, problem.status as 409 | 422);
  });
  return app;
}

/** One source's partitions: what the log holds, what can be queried, and the records between. */
async function lagOf({ log, run, sources }: Door, { applied, target }: RunningSource) {
  const { name, topic } = applied.source;
  const visible = sources.visible.of(target.statement);
  const exit = await run(log.offsets(topic));
  // An operator looks here when things are broken: actors are shown even if the log does not answer.
  if (exit._tag === "Failure") return { source: name, topic, lag: null, partitions: [] };
  const partitions = exit.value.map((range) => ({
    ...range,
    visible: visible.get(range.partition) ?? null,
    lag: lagIn(range, visible),
  }));
  return { source: name, topic, lag: partitions.reduce((sum, { lag }) => sum + lag, 0), partitions };
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

async function readJson(request: Request): Promise<unknown> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Refusal(
      415,
      "unsupported_media_type",
      "Cannot read the body: it is not application/json.",
      "Say Content-Type: application/json.",
    );
  }
  const { bytesMax } = DEFINITION_LIMITS;
  const bytes = await readBody(request, { sentBytesMax: bytesMax, bytesMax });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Both calls throw for one reason only: the body is not what its type says.
    throw new Refusal(400, "not_json", "Cannot read the body: it is not JSON in UTF-8.", "Send one JSON object.");
  }
}

function described({ applied: { source, version, catalog, text } }: RunningSource) {
  const { kind, layer, name, doc, topic, partitions, columns } = source;
  const { key = null, eventTime: event_time = null, unknown } = source;
  const shown = columns.map(({ name, type, comment }) => ({ name, type, comment }));
  return {
    kind,
    layer,
    name,
    doc,
    topic,
    partitions,
    key,
    event_time,
    unknown,
    columns: shown,
    version,
    catalog,
    text,
  };
}

function changed(change: Change) {
  const source = change.source.name;
  if (change.kind === "refuse") return { kind: change.kind, source, reason: change.reason, hint: change.hint };
  const destructive = change.kind === "rebuild" && change.isDestructive;
  return { kind: change.kind, source, version: change.version, destructive, notes: change.notes };
}

function wrong({ file, line, column, problem, hint }: DefinitionError) {
  return { file, line, column, message: problem, hint };
}

/** What the engine refused while a change was carried out is no fault of any SQL that the caller wrote. */
function changeFailed(error: unknown): unknown {
  if (!(error instanceof Refusal) || error.code !== "sql_refused") return error;
  const state = error.message.replace(/: while executing .*$/s, ".");
  const hint = "The old definition is still in force. Choose types that every stored value fits, then apply again.";
  return new Refusal(409, "change_failed", `Cannot apply: ${state}`, hint);
}

/** Why nothing was applied; a dry run says what would happen and is no failure, unless a definition is wrong. */
function problemOf(
  { changes, errors, done }: Applied,
  how: { dryRun: boolean; allowDestructive: boolean },
): Refusal | undefined {
  const [first] = errors;
  if (first !== undefined) return refusalOfError(first);
  if (done || how.dryRun) return undefined;
  const refused = changes.find((change) => change.kind === "refuse");
  if (refused?.kind === "refuse") {
    const { layer, name } = refused.source;
    return new Refusal(
      409,
      "change_refused",
      `Cannot apply ${layer}.${name}: ${refused.reason}.`,
      refused.hint,
      `${layer}.${name}`,
    );
  }
  const lossy = changes.find((change) => change.kind === "rebuild" && change.isDestructive);
  const at = lossy === undefined ? null : `${lossy.source.layer}.${lossy.source.name}`;
  const hint = 'Read the changes; send "allow_destructive": true if they are meant.';
  return new Refusal(409, "destructive", "Cannot apply: stored values would be lost.", hint, at);
}
