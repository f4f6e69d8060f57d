/**
 * What the tests of a `Log` share: topics of their own, records from text and back.
 *
 * @module
 */
import { Effect, Queue, type Scope } from "effect";
import { Log, type Membership, type MembershipEvent, type ReadAt } from "./log.ts";
import { type Records, RecordWriter } from "./records.ts";

/** Declares one test of the suite. */
export type Check = (title: string, body: () => Effect.Effect<void, unknown, Log | Scope.Scope>) => void;

/** The next assignment, giving up at once what is revoked before. */
export const assigned = Effect.fn("assigned")(function* (member: Membership) {
  for (;;) {
    const event: MembershipEvent = yield* Queue.take(member.events);
    if (event.kind === "assigned") return event;
    yield* member.released(event.partitions);
  }
});

/** Asks until the answer holds. */
export const until = Effect.fn("until")(function* <A, E, R>(
  ask: Effect.Effect<A, E, R>,
  holds: (answer: A) => boolean,
) {
  for (;;) {
    const answer = yield* ask;
    if (holds(answer)) return answer;
    yield* Effect.sleep("20 millis");
  }
});

/** Reads a partition from `from` to its end. */
export const readAll = Effect.fn("readAll")(function* (from: ReadAt) {
  const log = yield* Log;
  const all: Records[] = [];
  for (let next = from.offset; ; ) {
    const read = yield* log.read({ ...from, offset: next });
    if (read.count === 0) return all;
    all.push(read);
    next = read.next;
  }
});

/** Makes a topic of a name of its own. */
export const freshTopic = Effect.fn("freshTopic")(function* (partitions: number) {
  const log = yield* Log;
  const name = freshName();
  yield* log.createTopic({ name, partitions, retention: {} });
  return name;
});

/** A name which nothing else has. */
export function freshName(): string {
  return `contract-${crypto.randomUUID()}`;
}

/** Where most reads of the suite begin. */
export function at(topic: string, offset = 0): ReadAt {
  return { topic, partition: 0, offset, recordsMax: 1_000, bytesMax: 1 << 20, waitMs: 0 };
}

/** Packs values without keys. */
export function packed(values: readonly string[], timestampMs = Date.now()): RecordWriter {
  const writer = new RecordWriter();
  for (const value of values) writer.add({ key: null, value: bytes(value), timestampMs });
  return writer;
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** One key as text. */
export function keyOf(records: Records, i: number): string | null {
  const start = records.keyStarts[i];
  return start < 0 ? null : new TextDecoder().decode(records.bytes.subarray(start, records.keyEnds[i]));
}

/** One value as text, null for a tombstone. */
export function textOf(records: Records, i: number): string | null {
  const start = records.valueStarts[i];
  return start < 0 ? null : new TextDecoder().decode(records.bytes.subarray(start, records.valueEnds[i]));
}

/** The values of records as text. */
export function valuesOf(records: Records): (string | null)[] {
  return Array.from({ length: records.count }, (_, i) => textOf(records, i));
}
