/**
 * Cuts appends into rounds: requests that bring each partition one batch at most.
 *
 *   writes ──one behind the other, by partition──▶ batches of records ──▶ round 0 · round 1 · …
 *
 * A write that fits into one batch is not divided, so it is stored or not. A record that no batch has room for is alone
 * in its batch: what the brokers say of its size concerns nobody else.
 *
 * @module
 */
import type { LogFailed, Once, Write } from "../log.ts";
import { ONCE_HEADER, ONCE_HEADER_BYTES, onceMarker } from "../once_header.ts";
import { openRecords, type Records } from "../records.ts";
import { BatchWriter, bytesOfRecord, RECORD_BYTES_MAX } from "./batch_writer.ts";
import type { ProducedBatch } from "./producer.ts";

/** An append on its way: what it says of itself, and why it failed. */
export interface Sending {
  readonly once: Once | undefined;
  failure: LogFailed | undefined;
}

/** One write of an append, and what became of it. */
export interface Place {
  readonly of: Sending;
  readonly write: Write;
  /** Its records, opened where they were packed. */
  readonly records: Records;
  /** The offset of its first record, once that is stored. */
  first: number;
  /** The offset behind the last one that is stored. */
  next: number;
  /** How many are stored. */
  stored: number;
}

/** Some records of a write, from one index up to another. */
export interface Part {
  readonly place: Place;
  readonly from: number;
  readonly to: number;
  /** In batches of its own: brokers refused it together with others. */
  readonly isAlone?: boolean;
}

/** What one request brings to one partition: records of one or more writes, in their order. */
export interface Batch extends ProducedBatch {
  readonly parts: readonly Part[];
}

/** Places of an append's writes, of which nothing is stored yet. */
export function placesOf(writes: readonly Write[], of: Sending): readonly Place[] {
  return writes.map((write) => ({ of, write, records: recordsOf(write), first: 0, next: 0, stored: 0 }));
}

/** All of a place. */
export function wholeOf(place: Place): Part {
  return { place, from: 0, to: place.write.records.count };
}

/** Packs parts; `bytesMax` says for each topic how large a batch of more than one record may be, before it is compressed. */
export function roundsOf(parts: readonly Part[], bytesMax: (topic: string) => number): readonly (readonly Batch[])[] {
  const lanes = new Map<string, Lane>();
  for (const part of joined(parts)) {
    const { topic, partition } = part.place.write;
    const key = `${topic}\n${partition}`;
    const lane = lanes.get(key) ?? new Lane({ key, topic, partition, bytesMax: bytesMax(topic) });
    lanes.set(key, lane);
    lane.add(part);
  }
  const rounds: Batch[][] = [];
  for (const { batches } of lanes.values())
    for (const [round, batch] of batches.entries()) {
      rounds[round] ??= [];
      rounds[round]!.push(batch);
    }
  return rounds;
}

type OpenBatch = ProducedBatch & { readonly parts: Part[] };

/** Parts of one place that lie behind each other, as one. */
function joined(parts: readonly Part[]): readonly Part[] {
  const all: Part[] = [];
  const lastOf = new Map<Place, number>();
  for (const part of parts) {
    const at = lastOf.get(part.place);
    const last = at === undefined ? undefined : all[at];
    if (at !== undefined && last?.to === part.from && last.isAlone === part.isAlone) all[at] = { ...last, to: part.to };
    else lastOf.set(part.place, all.push(part) - 1);
  }
  return all;
}

interface LaneOf {
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  readonly bytesMax: number;
}

/** The batches of one partition. */
class Lane {
  readonly batches: OpenBatch[] = [];
  readonly #of: LaneOf;
  /** Whether the last batch takes no other append's records. */
  #isClosed = false;

  constructor(of: LaneOf) {
    this.#of = of;
  }

  add({ place, from, to, isAlone = false }: Part): void {
    if (from === to) return;
    const { write, of, records } = place;
    if (isAlone || this.#isClosed) this.#begin();
    this.#isClosed = isAlone;
    const marker = of.once && onceMarker(of.once);
    const addedBytes = marker === undefined ? 0 : ONCE_HEADER_BYTES;
    const packedBytes = startOf(records, to) - startOf(records, from);
    let batch = this.#with(packedBytes + (to - from) * (RECORD_BYTES_MAX + addedBytes));
    let begun = from;
    for (let index = from; index < to; index++) {
      const open = this.#with(bytesOfRecord(records, index) + addedBytes);
      if (open !== batch) {
        batch.parts.push({ place, from: begun, to: index });
        [batch, begun] = [open, index];
      }
      batch.records.add(records, { index, more: marker && { [ONCE_HEADER]: marker(write.indexes?.[index] ?? index) } });
    }
    batch.parts.push({ place, from: begun, to });
  }

  /** The last batch if it has room for so many bytes, or nothing in it; a new one otherwise. */
  #with(bytes: number): OpenBatch {
    const last = this.batches.at(-1);
    const fits = last !== undefined && last.records.length + bytes <= this.#of.bytesMax;
    return fits || last?.records.count === 0 ? last : this.#begin();
  }

  #begin(): OpenBatch {
    const { key, topic, partition } = this.#of;
    const batch = { key, topic, partition, records: new BatchWriter(), parts: [] };
    this.batches.push(batch);
    return batch;
  }
}

/** Where a record begins among those of its write; behind the last one they end. */
function startOf(records: Records, index: number): number {
  if (index === records.count) return records.bytes.length;
  const keyStart = records.keyStarts[index]!;
  return keyStart < 0 ? records.keyEnds[index]! : keyStart;
}

/** A write's records, opened where they were packed. */
function recordsOf({ topic, partition, records }: Write): Records {
  const run = { firstOffset: 0, count: records.count, start: 0, end: records.length };
  return openRecords({ topic, partition, next: records.count }, records.packed(), [run]);
}
