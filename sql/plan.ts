/**
 * The plan of a source: what applying its file would change. `plan_others.ts` has the other kinds.
 *
 *   applied (catalog) ─┐
 *   wanted (file)     ─┴─▶ change: create · same · describe · rebuild · refuse
 *
 * Pure. A change of columns is a new physical table beside the old one with
 * the rows copied over; what would lose or change values says so.
 *
 * @module
 */
import { spanText } from "./definition/duration.ts";
import { identifier, literal } from "./definition/tokens.ts";
import type { Definition } from "./definitions.ts";
import { isEvolved } from "./evolve/strangers.ts";
import { type Column, hasMorePartitions, NEW_TOPIC, type Source } from "./source.ts";

/** A file that lacks it was most likely written before. */
const BY_EVOLVE = " (evolve added it: weir pull writes it down)";

/** A source as the catalog has it. */
export interface AppliedSource {
  readonly source: Source;
  readonly text: string;
  /** Number of the physical table. */
  readonly version: number;
  readonly catalog: number;
}

/** What happens to one definition. */
export type Change =
  | {
      /** describe: the same rows, described or configured differently. */
      readonly kind: "create" | "same" | "describe";
      readonly definition: Definition;
      readonly version: number;
      readonly notes: readonly string[];
    }
  | {
      /** A new physical table, or a new object, takes the place of the old one. */
      readonly kind: "rebuild";
      readonly definition: Definition;
      readonly version: number;
      /** True when values or columns of stored rows would be lost. */
      readonly isDestructive: boolean;
      readonly notes: readonly string[];
    }
  | { readonly kind: "refuse"; readonly definition: Definition; readonly reason: string; readonly hint: string };

/** Compares one wanted source with what is applied under its name; `nextVersion` was never used for a table of it. */
export function planSource(
  applied: AppliedSource | undefined,
  wanted: { readonly source: Source; readonly text: string; readonly nextVersion: number },
): Change {
  const { source, text, nextVersion: version } = wanted;
  if (applied === undefined)
    return {
      kind: "create",
      definition: source,
      version,
      notes: [
        `creates ods.${source.name}; topic ${source.topic}, unless it is there, with ${source.partitions ?? NEW_TOPIC.partitions} partitions`,
      ],
    };
  if (applied.text === text) return { kind: "same", definition: source, version: applied.version, notes: [] };
  const before = applied.source;
  if (source.topic !== before.topic)
    return refuse(
      source,
      `its topic would change from ${before.topic} to ${source.topic}`,
      "Define a new source for another topic.",
    );
  if (source.partitions !== undefined && hasMorePartitions(before, source))
    return refuse(
      source,
      `its topic has ${before.partitions} partitions and would have ${source.partitions}`,
      "Partitions can only become more.",
    );
  const { added, removed, retyped, commented } = compareColumns(before.columns, source.columns);
  const missing = added.find(
    (column) => !column.type.startsWith("Nullable(") && !column.type.startsWith("LowCardinality(Nullable("),
  );
  if (missing !== undefined)
    return refuse(
      source,
      `new column ${missing.name} ${missing.type} has no value for the rows that are there`,
      "Make it Nullable.",
    );
  const notes = [
    ...added.map((column) => `adds ${column.name} ${column.type}`),
    ...removed.map((column) => `drops ${column.name} and its values${isEvolved(column) ? BY_EVOLVE : ""}`),
    ...retyped.map(([from, to]) => `changes ${to.name} from ${from.type} to ${to.type}; fails if a value does not fit`),
    ...(commented ? ["changes comments or codecs"] : []),
  ];
  const moved =
    source.eventTime !== before.eventTime ||
    source.partitionBy !== before.partitionBy ||
    (source.unknown === "keep") !== (before.unknown === "keep");
  if (moved) notes.push("changes event time, partitioning or unknown fields");
  const onRepeats = dedupeNotes(before, source);
  if (notes.length === 0)
    return {
      kind: "describe",
      definition: source,
      version: applied.version,
      notes: onRepeats.length > 0 ? onRepeats : ["changes the description, topic settings, key or format"],
    };
  notes.push(...onRepeats);
  const isDestructive = removed.length > 0 || (before.unknown === "keep" && source.unknown !== "keep");
  return { kind: "rebuild", definition: source, version, isDestructive, notes };
}

/** The same source with a table of its own again, which begins without a row: what is stored goes. */
export function planReset({ source }: Pick<AppliedSource, "source">, version: number): Change {
  const notes = ["begins anew without rows, and so do the models above it"];
  return { kind: "rebuild", definition: source, version, isDestructive: true, notes };
}

/** What changes for events that a producer sends again. */
function dedupeNotes(before: Source, after: Source): readonly string[] {
  const { dedupe } = after;
  const isSame = before.dedupe?.by === dedupe?.by && before.dedupe?.withinMs === dedupe?.withinMs;
  if (dedupe === undefined) return isSame ? [] : ["stores events that are sent again"];
  if (!isSame) return [`drops events whose ${dedupe.by} was stored within ${spanText(dedupe.withinMs)} before them`];
  return hasMorePartitions(after, before)
    ? ["moves keys to other partitions; what is stored is still known there"]
    : [];
}

/** The SELECT list that turns rows of the old table into rows of the new one, in the order of its columns. */
export function copyColumns(
  before: Source,
  after: Source,
): readonly { readonly name: string; readonly expression: string }[] {
  const old = new Map(before.columns.map((column) => [column.name, column]));
  const copies = after.columns.map(({ name, type }) => {
    const from = old.get(name);
    if (from === undefined) return { name, expression: "NULL" };
    return {
      name,
      expression: from.type === type ? identifier(name) : `accurateCast(${identifier(name)}, ${literal(type)})`,
    };
  });
  const eventTime =
    after.eventTime === undefined ? "_ingest_time" : `toDateTime64(${identifier(after.eventTime)}, 3, 'UTC')`;
  const companions = ["_topic", "_partition", "_offset", "_epoch"].map((name) => ({ name, expression: name }));
  const moved = after.eventTime === before.eventTime ? "_event_time" : eventTime;
  const times = [
    { name: "_event_time", expression: moved },
    ...["_ingest_time", "_op"].map((name) => ({ name, expression: name })),
  ];
  const rest =
    after.unknown === "keep" ? [{ name: "_rest", expression: before.unknown === "keep" ? "_rest" : "'{}'" }] : [];
  return [...copies, ...companions, ...times, ...rest];
}

/** Conditions that fail the copy when a value of a changed column does not come back from its new type as it was. */
export function copyGuards(before: Source, after: Source): readonly string[] {
  const old = new Map(before.columns.map((column) => [column.name, column]));
  return after.columns.flatMap(({ name, type }) => {
    const from = old.get(name);
    if (from === undefined || from.type === type) return [];
    const back = `accurateCast(accurateCast(${identifier(name)}, ${literal(type)}), ${literal(from.type)})`;
    const message = literal(`a value of ${name} does not fit into ${type} unchanged`);
    return [`throwIf(ifNull(${back} != ${identifier(name)}, 0), ${message})`];
  });
}

/** Columns whose type changes, with a condition that holds for each stored value that the new type does not take. */
export function misfits(
  before: Source,
  after: Source,
): readonly { readonly name: string; readonly type: string; readonly condition: string }[] {
  const old = new Map(before.columns.map((column) => [column.name, column]));
  return after.columns.flatMap(({ name, type }) => {
    const from = old.get(name);
    if (from === undefined || from.type === type) return [];
    const cast = `accurateCastOrNull(${identifier(name)}, ${literal(withoutNull(type))})`;
    const back = `accurateCastOrNull(${cast}, ${literal(withoutNull(from.type))})`;
    const isNullTaken = withoutNull(type) === type ? 1 : `NOT isNull(${identifier(name)})`;
    return [{ name, type, condition: `ifNull(${back} != ${identifier(name)}, ${isNullTaken})` }];
  });
}

function withoutNull(type: string): string {
  return /^Nullable\((.*)\)$/s.exec(type)?.[1] ?? type;
}

function compareColumns(before: readonly Column[], after: readonly Column[]) {
  const old = new Map(before.map((column) => [column.name, column]));
  const names = new Set(after.map((column) => column.name));
  const added = after.filter((column) => !old.has(column.name));
  const removed = before.filter((column) => !names.has(column.name));
  const both = after.flatMap((column) =>
    old.has(column.name) ? [[old.get(column.name) as Column, column] as const] : [],
  );
  const retyped = both.filter(([from, to]) => from.type !== to.type);
  const commented = both.some(([from, to]) => from.comment !== to.comment || from.codec !== to.codec);
  return { added, removed, retyped, commented };
}

function refuse(source: Source, reason: string, hint: string): Change {
  return { kind: "refuse", definition: source, reason, hint };
}
