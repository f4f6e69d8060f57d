/**
 * Decoding: the records of a batch as JSON, for sources whose records are written otherwise.
 *
 *   Part of the log's bytes ──Decoder──▶ Part of JSON ──▶ scanner · judge · body, as if it had come so
 *                              ├─refused──▶ a record without a value, with the reason
 *                              └─nothing──▶ left out: it changes no row
 *
 * Offsets, times and headers stay the record's own; the bytes as they came are kept for
 * the quarantine. Pure but for giving others the thread.
 *
 * @module
 */
import { type Framed, hasHeaders, headersOf, type Records, type WarehouseFailed } from "@weir/connectors";
import type { Decoder, Op, SchemaOf } from "@weir/sql";
import { Effect } from "effect";
import type { Part, Slice } from "./batch.ts";
import type { Target } from "./target.ts";

/** Records between two moments at which others get the thread. */
const TURN_RECORDS = 2_000;
const ENCODER = new TextEncoder();
/** Bytes that a character takes at most in UTF-8, as JavaScript counts characters. */
const CHAR_BYTES_MAX = 3;

/** Why a record was refused. */
export interface Refused {
  readonly column: string;
  readonly reason: string;
}

/** Records of one slice as JSON; a refused one has no value. */
class DecodedRecords implements Records {
  readonly topic: string;
  readonly partition: number;
  readonly next: number;
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly valueStarts: Int32Array;
  readonly valueEnds: Int32Array;
  readonly framed: Framed & { readonly headers: Map<number, Readonly<Record<string, string>>> };
  readonly ops: Op[] = [];
  readonly refused = new Map<number, Refused>();
  /** The records as they came, and which of them each one is. */
  readonly raw: Records;
  readonly rawIndexes: Int32Array;
  count = 0;
  bytes: Uint8Array;
  #length = 0;

  constructor({ records, start, end }: Slice) {
    const countMax = end - start;
    this.topic = records.topic;
    this.partition = records.partition;
    this.next = records.next;
    this.raw = records;
    this.offsets = new Float64Array(countMax);
    this.timestamps = new Float64Array(countMax);
    this.keyStarts = new Int32Array(countMax).fill(-1);
    this.keyEnds = new Int32Array(countMax);
    this.valueStarts = new Int32Array(countMax);
    this.valueEnds = new Int32Array(countMax);
    this.rawIndexes = new Int32Array(countMax);
    this.framed = { starts: this.valueStarts, ends: this.valueEnds, headers: new Map() };
    this.bytes = new Uint8Array(Math.max(256, 2 * (records.valueEnds[end - 1] - records.keyEnds[start])));
  }

  /** Decodes the record at `rawIndex` and adds it, unless it says nothing. */
  add(decoder: Decoder, rawIndex: number, schemaOf: SchemaOf | undefined): void {
    const { raw, count } = this;
    const start = raw.valueStarts[rawIndex];
    const said = decoder(start < 0 ? null : raw.bytes.subarray(start, raw.valueEnds[rawIndex]), schemaOf);
    if (said.kind === "nothing") return;
    this.keyEnds[count] = this.#length;
    this.valueStarts[count] = said.kind === "row" ? this.#length : -1;
    if (said.kind === "row") this.#write(said.text);
    else this.refused.set(count, said);
    this.ops.push(said.kind === "row" ? said.op : "c");
    this.valueEnds[count] = this.#length;
    this.offsets[count] = raw.offsets[rawIndex];
    this.timestamps[count] = raw.timestamps[rawIndex];
    this.rawIndexes[count] = rawIndex;
    if (hasHeaders(raw, rawIndex)) this.framed.headers.set(count, headersOf(raw, rawIndex));
    this.count += 1;
  }

  #write(text: string): void {
    const needed = this.#length + text.length * CHAR_BYTES_MAX;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.#length));
      this.bytes = larger;
    }
    this.#length += ENCODER.encodeInto(text, this.bytes.subarray(this.#length)).written;
  }
}

/** The same parts as JSON, without the records that change no row; as they are where they are JSON. */
export const decodeParts = Effect.fnUntraced(function* (
  { projection: { decoder }, schemas }: Pick<Target, "projection" | "schemas">,
  parts: readonly Part[],
): Effect.fn.Return<readonly Part[], WarehouseFailed> {
  if (decoder === undefined) return parts;
  // They were asked for before the records were offered; only a table that somebody emptied is waited for here.
  const slicesOf = parts.flatMap(({ slices }) => slices);
  const schemasAt = schemas && (yield* schemas.known(slicesOf, (note) => Effect.logWarning(note)));
  const decoded: Part[] = [];
  for (const part of parts) {
    const slices: Slice[] = [];
    for (const slice of part.slices) {
      const records = new DecodedRecords(slice);
      for (let index = slice.start; index < slice.end; index++) {
        records.add(decoder, index, schemasAt?.(slice.records.timestamps[index]));
        if ((index - slice.start) % TURN_RECORDS === TURN_RECORDS - 1) yield* Effect.yieldNow;
      }
      if (records.count > 0) slices.push({ records, start: 0, end: records.count });
    }
    const rows = slices.reduce((sum, { end }) => sum + end, 0);
    decoded.push({ ...part, slices, range: { ...part.range, rows } });
  }
  return decoded;
});

/** What happened to the row of a record; created, where records do not say. */
export function opOf(records: Records, index: number): Op {
  return records instanceof DecodedRecords ? records.ops[index] : "c";
}

/** Why a record has no value: what its decoder said, or that it is a tombstone. */
export function whyEmpty(records: Records, index: number): Refused {
  const why = records instanceof DecodedRecords ? records.refused.get(index) : undefined;
  return why ?? { column: "", reason: "the record has no value" };
}

/** The value of a record as it lies in the log; null for a tombstone. */
export function rawValue(records: Records, index: number): Uint8Array | null {
  const [of, at] = records instanceof DecodedRecords ? [records.raw, records.rawIndexes[index]] : [records, index];
  const start = of.valueStarts[at];
  return start < 0 ? null : of.bytes.slice(start, of.valueEnds[at]);
}
