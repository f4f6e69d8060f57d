/**
 * `conform(<source>)`: the one generated strict projection of a source.
 *
 *   Source ─┬▶ insert() · probe() · settings    the engine's form, vectorised
 *           ├▶ judge() · normalise()            the authority, exact
 *           └▶ scanner                          the fast yes, byte for byte
 *
 * Ingest, load, jobs and log sinks all use it. What must hold: the scanner says
 * true only where the judge says ok; whatever the judge takes the engine takes
 * and stores unchanged; whatever the judge refuses of a JSON text the engine
 * refuses too, but for the leftovers listed in `projection.ts`. Pure.
 *
 * @module
 */

import { type Decoder, decoderOf } from "../format/format.ts";
import type { Column, Source } from "../source.ts";
import { type ColumnType, readType, TypeRefused } from "./column_type.ts";
import { parseExact } from "./exact.ts";
import { judgeOf, type Verdict } from "./judge.ts";
import { type Companions, companionsOf, INGEST_COLUMNS, insertText, probeText, strictSettings } from "./projection.ts";
import { type Scanner, scannerOf } from "./scanner.ts";

export type { Companions, Scanner, Verdict };

/** The forms of one source's projection. */
export interface Conform {
  readonly source: Source;
  /** Settings that every strict insert must say; deduplication and block sizes are the actors'. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** The strict insert; `table` as SQL spells it, `deadlineMs` since 1970. */
  insert(to: { table: string; topic: string; epoch: number; salt: string; deadlineMs: number }): string;
  /** The same projection with no effect, to ask the engine about records. */
  probe(to: { topic: string; epoch: number; salt: string }): string;
  /** Makes JSON of a record of another format; undefined: the source's records are JSON. */
  readonly decoder: Decoder | undefined;
  /** Names of the fields that are spliced in front of each record. */
  companions(salt: string): Companions;
  /** The fast path over bytes that are valid UTF-8. */
  readonly scanner: Scanner;
  /** The verdict on one record's text, for ever the same for the same text and time. */
  judge(text: string, timestampMs: number): Verdict;
  /** A judged record's text as the insert takes it: begins with `{`; undeclared fields in `_rest` if they are kept. */
  normalise(text: string): string;
}

const RESERVED: ReadonlySet<string> = new Set([...INGEST_COLUMNS, "_rest"]);

/** Makes all forms of a source; throws an Error that names the column whose type it cannot conform to. */
export function conform(source: Source): Conform {
  const types = source.columns.map(typeOf);
  checkRoles(source, types);
  return {
    source,
    settings: strictSettings(source),
    insert: (to) => insertText(source, types, to),
    probe: (to) => probeText(source, types, { ...to, deadlineMs: undefined }),
    decoder: decoderOf(source, types),
    companions: companionsOf,
    scanner: scannerOf(source, types),
    judge: judgeOf(source, types),
    normalise: source.unknown === "keep" ? keeper(source) : (text) => text.trim(),
  };
}

function typeOf(column: Column): ColumnType {
  try {
    return readType(column.type);
  } catch (error) {
    if (!(error instanceof TypeRefused)) throw error;
    throw new Error(`Cannot use type ${column.type} for column ${column.name}: use ${error.message}`);
  }
}

function checkRoles(source: Source, types: readonly ColumnType[]): void {
  for (const { name } of source.columns) {
    if (!RESERVED.has(name)) continue;
    throw new Error(`Cannot use the name ${name} for a column of ${source.name}: Weir adds it, choose another`);
  }
  const typeNamed = (name: string | undefined) => types[source.columns.findIndex((column) => column.name === name)];
  const key = typeNamed(source.key);
  const event = typeNamed(source.eventTime);
  if (source.key !== undefined && (key === undefined || ["float", "array", "map", "tuple"].includes(key.kind))) {
    throw new Error(`Cannot use column ${source.key} of ${source.name} as key: use a column with one exact text`);
  }
  if (source.eventTime !== undefined && event?.kind !== "date" && event?.kind !== "time") {
    throw new Error(`Cannot use column ${source.eventTime} of ${source.name} as event time: use Date or DateTime64`);
  }
}

/** Moves undeclared fields into `_rest`, as the text of an object, byte for byte. */
function keeper(source: Source): (text: string) => string {
  const declared = new Set(source.columns.map(({ name }) => name));
  return (text) => {
    const own: string[] = [];
    const rest: string[] = [];
    for (const field of parseExact(text).fields) {
      (declared.has(field.name) ? own : rest).push(text.slice(field.start, field.node.end));
    }
    return `{${[...own, `"_rest":${JSON.stringify(`{${rest.join(",")}}`)}`].join(",")}}`;
  };
}
