/**
 * Definitions at the door: what is in force, what files would change, and the change itself.
 *
 *   GET  /v1/admin/definitions                  everything in force, with its text, and who reads whom
 *   GET  /v1/admin/definitions/schemas          JSON Schemas of front matter, for editors
 *   POST /v1/admin/definitions                  plan (dry_run) or apply; as NDJSON with the progress of backfills
 *   POST /v1/admin/definitions/<name>/check     recompute a model and compare
 *   POST /v1/admin/definitions/<name>/resume    make a suspended model anew
 *
 * Mounted below `/v1/admin`, which needs the scope `admin`.
 *
 * @module
 */
import { type Applied, type ApplyOptions, type DefinitionFile, type Kept, readsOf } from "@weir/actors";
import { type DefinitionError, definitionSchemas, qualifiedName } from "@weir/sql";
import { type Effect, Exit } from "effect";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, Refusal, refusalOf, refusalOfError } from "./errors.ts";
import { readJsonBody } from "./json_body.ts";
import { answerWithProgress, type Ended } from "./progress.ts";

/** Bounds of the definitions in one request; the bytes are those of the body, with the data of dimensions in it. */
export const DEFINITION_LIMITS = {
  bytesMax: 64 * 2 ** 20,
  filesMax: 1_000,
  pathCharsMax: 300,
  textCharsMax: 256 * 1_024,
} as const;

/** What a plan or an apply takes. */
export const definitionsBody = z.strictObject({
  files: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(DEFINITION_LIMITS.pathCharsMax),
        text: z.string().max(DEFINITION_LIMITS.textCharsMax),
        data: z.base64().optional().describe("What the file that a dimension names holds."),
      }),
    )
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
  base: z.int().min(0).optional().describe("The catalog that the author has seen; what came after it is a conflict."),
});

/** The routes below `/v1/admin/definitions`. */
export function definitions(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const { catalog } = door;

  app.get("/", (c) => {
    const broken = catalog.broken().map(({ entry, problem }) => ({ ...entry, state: "broken", note: problem }));
    const backfills = catalog.backfills().map(({ name, rows, rowsTotal }) => ({ name, rows, rows_total: rowsTotal }));
    const edges = catalog.all().flatMap(({ definition }) => {
      const to = qualifiedName(definition);
      return readsOf(definition).map((from) => ({ from, to }));
    });
    return c.json({ definitions: [...catalog.all().map(described), ...broken], edges, backfills });
  });

  app.get("/schemas", (c) => c.json(definitionSchemas()));

  app.post("/", async (c) => {
    const body = await readJsonBody(c.req.raw, definitionsBody, DEFINITION_LIMITS);
    const { dry_run: dryRun, allow_destructive: allowDestructive, base } = body;
    const files = body.files.map(({ path, text, data }): DefinitionFile => {
      return data === undefined ? { path, text } : { path, text, data: new Uint8Array(Buffer.from(data, "base64")) };
    });
    const author = c.get("caller")?.name ?? "";
    const options: ApplyOptions = { author, dryRun, allowDestructive, base };
    return changed(door, c, { work: catalog.apply(files, options), options });
  });

  app.post("/:name/resume", async (c) => {
    const name = c.req.param("name");
    const options: ApplyOptions = { author: c.get("caller")?.name ?? "", dryRun: false, allowDestructive: false };
    if (catalog.all().every(({ definition }) => definition.kind !== "model" || qualifiedName(definition) !== name)) {
      const hint = "GET /v1/admin/definitions lists what is defined.";
      throw new Refusal(404, "unknown_model", `Cannot resume '${name.slice(0, 100)}': there is no such model.`, hint);
    }
    return changed(door, c, { work: catalog.resume(name, options), options });
  });

  app.post("/:name/check", async (c) => {
    const { rows, differing, differences, classes, tolerance, model, tookMs } = await orRefuse(
      door.run(catalog.check(c.req.param("name"))),
    );
    return c.json({ model, rows, differing, differences, classes, tolerance, elapsed_ms: tookMs });
  });
  return app;
}

interface Change {
  readonly work: Effect.Effect<Applied, unknown>;
  readonly options: ApplyOptions;
}

/** Carries a change out; a client that takes NDJSON hears of its progress and cannot time out. */
async function changed(door: Door, c: Context<DoorEnv>, { work, options }: Change): Promise<Response> {
  const ended = door.run(work).then((exit): Ended => {
    if (Exit.isSuccess(exit)) return answerTo(exit.value, options);
    return changeFailed(refusalOf(exit.cause));
  });
  return answerWithProgress(c, {
    ended,
    progress: () =>
      door.catalog.backfills().map(({ name, rows, rowsTotal }) => ({ name, rows, rows_total: rowsTotal })),
  });
}

function answerTo(applied: Applied, options: ApplyOptions) {
  const { changes, errors, conflicts, catalog, done } = applied;
  const answer = { changes: changes.map(changeOf), errors: errors.map(wrong), conflicts, catalog, done };
  const problem = problemOf(applied, options);
  return problem === undefined
    ? { status: 200, body: answer }
    : { status: problem.status, body: { error: problem.body, ...answer } };
}

function described({ definition, entry }: Kept) {
  const { kind, layer, name, version, catalog, state, note, author, applied_at, file, text } = entry;
  const own = { kind, layer, name, doc: definition.doc, version, catalog, state, note, author, applied_at, file, text };
  switch (definition.kind) {
    case "source": {
      const { topic, partitions, columns, key = null, eventTime: event_time = null, unknown } = definition;
      return { ...own, topic, partitions, key, event_time, unknown, columns: columns.map(shown) };
    }
    case "dimension":
      return { ...own, key: definition.key, columns: definition.columns.map(shown) };
    case "model": {
      const { strategy, reads, functions, columns, classes, explanation } = definition;
      return { ...own, strategy, reads, functions, columns: columns.map(shown), classes, explanation };
    }
    case "api":
      return { ...own, reads: definition.reads, params: definition.params };
    case "function":
      return { ...own, parameters: definition.parameters };
  }
}

const shown = ({ name, type, comment }: { name: string; type: string; comment: string }) => ({ name, type, comment });

/** A change, as clients see it. */
export function changeOf({ change, dependents, reach }: Applied["changes"][number]) {
  const { kind, definition } = change;
  const name = qualifiedName(definition);
  if (change.kind === "refuse") return { kind, name, reason: change.reason, hint: change.hint };
  const destructive = change.kind === "rebuild" && change.isDestructive;
  const { version, notes } = change;
  const why = definition.kind === "model" ? { explanation: definition.explanation } : {};
  const filled = reach === undefined ? {} : { backfill: reach };
  return { kind, name, version, destructive, notes, dependents, ...filled, ...why };
}

/** A definition's error, as clients see it. */
export function wrong(error: DefinitionError) {
  const { file, line, column } = error;
  const { message, hint } = refusalOfError(error);
  return { file, line, column, message, hint };
}

/** What the engine refused while a change was carried out is no fault of any SQL that the caller wrote. */
function changeFailed(refusal: Refusal): Refusal {
  if (refusal.code !== "sql_refused") return refusal;
  const state = refusal.message.replace(/: while executing .*$/s, ".");
  const hint = "The old definition is still in force. Choose types that every stored value fits, then apply again.";
  return new Refusal(409, "change_failed", `Cannot apply: ${state}`, hint);
}

/** Why nothing was applied; a dry run says what would happen and is no failure, unless a definition is wrong. */
function problemOf({ changes, errors, conflicts, done }: Applied, how: ApplyOptions): Refusal | undefined {
  const [first] = errors;
  if (first !== undefined) return refusalOfError(first);
  if (done || how.dryRun) return undefined;
  for (const { change } of changes) {
    if (change.kind !== "refuse") continue;
    const name = qualifiedName(change.definition);
    return new Refusal(409, "change_refused", `Cannot apply ${name}: ${change.reason}.`, change.hint, name);
  }
  const [conflict] = conflicts;
  if (conflict !== undefined) {
    const { name, author, catalog } = conflict;
    const message = `Cannot apply ${name}: '${author}' changed it since (catalog ${catalog}).`;
    return new Refusal(409, "conflict", message, "Run weir pull and merge, or apply with --force.", name);
  }
  const lossy = changes.find(({ change }) => change.kind === "rebuild" && change.isDestructive);
  const hint = 'Read the changes; send "allow_destructive": true if they are meant.';
  const at = lossy === undefined ? null : qualifiedName(lossy.change.definition);
  return new Refusal(409, "destructive", "Cannot apply: stored values would be lost.", hint, at);
}
