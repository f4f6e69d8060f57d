/**
 * Definitions of kind `source`: from a file to a checked `Source`.
 *
 *   file ──readSource──▶ draft ──structureOf──▶ the engine describes it ──finishSource──▶ Source
 *                                                    └─refuses──▶ blameColumn ──▶ error with line and column
 *
 * Pure: the caller asks the engine. A type is what the engine prints for it, so
 * `INT` and `Int32` are the same column.
 *
 * @module
 */
import { z } from "zod";
import { hasOps } from "../format/format.ts";
import type { Column, Source } from "../source.ts";
import { readColumnList, type WrittenTable } from "./column_list.ts";
import { dedupeOption, dedupeProblem } from "./dedupe_option.ts";
import { duration, size } from "./duration.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import { driftOption, evolveProblem, leaveOutOption } from "./evolve_option.ts";
import { type CutFile, cutFile, placeOf, readFrontMatter } from "./front_matter.ts";
import { detach } from "./schema_files.ts";
import { checkSchema, formatOption, readFormat, registryMissing, schemaFilesOf } from "./source_format.ts";
import { identifier } from "./tokens.ts";

/** What a source's front matter may say. */
export const sourceOptions = z.strictObject({
  kind: z.literal("source").describe("What this file defines."),
  doc: z.string().min(1).describe("What the events are; shown wherever the table is."),
  topic: z
    .string()
    .regex(/^[\w.-]{1,200}$/, "A topic's name has 1 to 200 letters, digits, dots, dashes or underscores")
    .regex(/^(?!weir\.|__)/, "Topics named weir.… are Weir's own, those named __… are Kafka's: name another one")
    .optional()
    .describe("The log's topic; the name of the table by default."),
  partitions: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe("Partitions that the topic has at least: 4 where Weir makes it. They can grow, never shrink."),
  key: z.string().optional().describe("The column whose value chooses the partition: equal values stay in order."),
  event_time: z.string().optional().describe("The column that says when it happened; when it arrived by default."),
  unknown: z
    .enum(["reject", "keep", "ignore"])
    .default("reject")
    .describe("Fields which no column declares: refuse the event, keep them in `_rest`, or drop them."),
  format: formatOption,
  drift: driftOption,
  leave_out: leaveOutOption.optional(),
  dedupe: dedupeOption.optional(),
  retention: z
    .strictObject({
      age: duration.optional().describe("The oldest events go after this time: 7 days where Weir makes the topic."),
      size: size
        .optional()
        .describe("The oldest events of a partition go beyond this size: 4 GiB where Weir makes it."),
    })
    .prefault({})
    .describe("How long the log keeps events; a topic that is there stays as it is where nothing is said."),
  partition_by: z.enum(["month", "day"]).default("month").describe("How the table is partitioned, by event time."),
});

/** Types whose values can say when something happened. */
const TIME_TYPE = /^(DateTime|DateTime64|Date|Date32)\b/;
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** A source as read from its file, before the engine has judged its types. */
export interface SourceDraft {
  readonly cut: CutFile;
  readonly options: z.output<typeof sourceOptions>;
  readonly table: WrittenTable;
  /** Names of the schema files that it asks for. */
  readonly asksFor: readonly string[];
  /** The schema files that came with it, by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** Reads a definition's file; `file` is its path inside the project, for example `ods/flight.sql`. */
export function readSource(file: string, text: string): SourceDraft {
  const { text: own, files } = detach(text);
  const cut = cutFile(file, own);
  const options = readFrontMatter(cut, sourceOptions);
  const table = readColumnList(cut);
  const draft = { cut, options, table, asksFor: schemaFilesOf(options.format), files };
  const [layer, name] = /([^/]+)\/([^/]+)\.sql$/.exec(file)?.slice(1) ?? ["", file];
  const { database } = table;
  if (layer !== "ods") fail(draft, table.at, "its file is not in the folder ods/", "Put sources into the folder ods/.");
  if (database !== undefined && database !== "ods")
    fail(draft, table.at, `its database is ${quoted(database)}`, `Write ods.${table.name}: sources live in ods.`);
  if (table.name !== name) {
    const problem = `its file is named ${quoted(`${name}.sql`)} and its table ${quoted(table.name)}`;
    fail(draft, table.nameAt, problem, "Give both the same name.");
  }
  if (!NAME.test(name)) {
    const hint = "Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.";
    fail(draft, table.nameAt, `${quoted(name)} is not a usable name`, hint);
  }
  checkNames(draft);
  return draft;
}

function checkNames(draft: SourceDraft): void {
  const seen = new Set<string>();
  for (const { name, nameAt } of draft.table.columns) {
    if (name === "") fail(draft, nameAt, "a column has no name", "Name it.");
    if (name.startsWith("_"))
      fail(draft, nameAt, `column ${quoted(name)} begins with an underscore`, "Rename it: those names are Weir's own.");
    if (seen.has(name))
      fail(draft, nameAt, `column ${quoted(name)} is declared twice`, "Give every column a name of its own.");
    seen.add(name);
  }
}

/** The draft's columns as the engine reads a structure. */
export function structureOf(columns: readonly { readonly name: string; readonly type: string }[]): string {
  return columns.map((column) => `${identifier(column.name)} ${column.type}`).join(", ");
}

/** The error for a column whose type the engine refuses. */
export function blameColumn(draft: SourceDraft, name: string, message: string): DefinitionError {
  const column = draft.table.columns.find((one) => one.name === name);
  const at = lineAndColumn(draft.cut.text, column?.at ?? draft.table.at);
  const place = { file: draft.cut.file, ...at };
  const [, problem, use] = /^(Cannot .+?): use (.+)$/s.exec(message) ?? [];
  if (use !== undefined) return new DefinitionError(place, `${problem}.`, `Use ${use}.`);
  const state = `${message.replace(/\.$/, "")}.`;
  const type = quoted(column?.type ?? "");
  return new DefinitionError(
    place,
    `Cannot use type ${type} for column ${quoted(name)}: ${state}`,
    "Write a type of ClickHouse.",
  );
}

/** The error for a column whose stored values its new type does not take; `rows` is undefined if they cannot be counted. */
export function blameValues(
  draft: SourceDraft,
  { name, rows }: { readonly name: string; readonly rows: number | undefined },
): DefinitionError {
  const column = draft.table.columns.find((one) => one.name === name);
  const at = lineAndColumn(draft.cut.text, column?.at ?? draft.table.at);
  const type = column?.type ?? "its new type";
  const counted = rows === undefined ? "" : `, in ${rows} ${rows === 1 ? "row" : "rows"}`;
  return new DefinitionError(
    { file: draft.cut.file, ...at },
    `Cannot change column ${quoted(name)}: it holds values that ${type} does not take${counted}.`,
    "The old definition is still in force. Keep the old type, or one that every stored value fits; NULL needs Nullable.",
  );
}

/** The error for a source that asks a schema registry, where there is none. */
export const blameRegistry = (draft: SourceDraft): DefinitionError => registryMissing(draft.cut);

/** The error for a new source whose topic is there and keeps more. */
export function blameRetention(draft: SourceDraft, { topic }: Pick<Source, "topic">): DefinitionError {
  return new DefinitionError(
    placeOf(draft.cut, ["retention"]),
    `Cannot shorten the retention of topic ${quoted(topic)}: it was there before this source, and others may read what would go.`,
    "Leave out `retention`, and the topic stays as it is. Once the source is there, its retention can be changed.",
  );
}

/** The error for a source whose topic has more partitions than it says. */
export function blamePartitions(draft: SourceDraft, topic: { readonly name: string; readonly partitions: number }) {
  return new DefinitionError(
    placeOf(draft.cut, ["partitions"]),
    `Cannot make topic ${quoted(topic.name)} smaller: it has ${topic.partitions} partitions.`,
    "Partitions can only become more.",
  );
}

/** Makes the source, with the types as the engine described them. */
export function finishSource(
  draft: SourceDraft,
  described: readonly { readonly name: string; readonly type: string }[],
): Source {
  const { options, table } = draft;
  const columns = table.columns.map((column): Column => {
    const type = described.find((one) => one.name === column.name)?.type;
    if (type === undefined) throw blameColumn(draft, column.name, "the engine does not describe it.");
    return { name: column.name, type, comment: column.comment, codec: column.codec };
  });
  checkRole(draft, columns, {
    role: "key",
    allowed: /^(?!.*(Float|Array|Map|Tuple|JSON|Nullable))/,
    wanted: "a column that is neither Float, Nullable nor composite",
  });
  const problem = dedupeProblem(options, columns);
  if (problem !== undefined) throw new DefinitionError(placeOf(draft.cut, ["dedupe", "by"]), ...problem);
  checkRole(draft, columns, {
    role: "event_time",
    allowed: TIME_TYPE,
    wanted: "a Date or DateTime column that is not Nullable",
  });
  const { cut, files } = draft;
  const format = readFormat(options.format, { cut, files, columns, unknown: options.unknown });
  const [option, ...wrong] = evolveProblem({ ...options, format, columns }) ?? [];
  if (option !== undefined) throw new DefinitionError(placeOf(cut, [option]), ...(wrong as [string, string]));
  if (options.dedupe !== undefined && hasOps(format))
    throw new DefinitionError(
      placeOf(draft.cut, ["dedupe"]),
      "Cannot use dedupe here: the records of this format change rows, and a change is no repeat.",
      "Leave dedupe out.",
    );
  const source: Source = {
    kind: "source",
    layer: "ods",
    name: table.name,
    doc: options.doc,
    topic: options.topic ?? table.name,
    partitions: options.partitions,
    key: options.key ?? options.dedupe?.by,
    eventTime: options.event_time,
    unknown: options.unknown,
    format,
    drift: options.drift,
    leaveOut: options.leave_out,
    dedupe: options.dedupe && { by: options.dedupe.by, withinMs: options.dedupe.within },
    retention: { ageMsMax: options.retention.age, bytesMax: options.retention.size },
    partitionBy: options.partition_by,
    columns,
  };
  checkSchema(draft.cut, source);
  return source;
}

function checkRole(
  draft: SourceDraft,
  columns: readonly Column[],
  is: { role: "key" | "event_time"; allowed: RegExp; wanted: string },
): void {
  const name = draft.options[is.role];
  if (name === undefined) return;
  const column = columns.find((one) => one.name === name);
  const at = placeOf(draft.cut, [is.role]);
  const cannot = (state: string) => `Cannot use ${quoted(name)} as ${is.role}: ${state}.`;
  if (column === undefined) {
    const hint = `Name one of: ${columns.map((one) => one.name).join(", ")}.`;
    throw new DefinitionError(at, cannot("there is no such column"), hint);
  }
  // What an Enum's values are called says nothing about the type.
  if (!is.allowed.test(column.type.replaceAll(/'(?:[^'\\]|\\.)*'/g, "''")))
    throw new DefinitionError(at, cannot(`its type is ${column.type}`), `Name ${is.wanted}.`);
}

function fail(draft: SourceDraft, offset: number, problem: string, hint: string): never {
  const at = lineAndColumn(draft.cut.text, offset);
  throw new DefinitionError({ file: draft.cut.file, ...at }, `Cannot use this source: ${problem}.`, hint);
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
