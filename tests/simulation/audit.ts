/**
 * The audit of a simulated run: what the log accepted against what the warehouse has.
 *
 *   every topic there ever was ─┐
 *   rows, quarantine, markers  ─┴─▶ problems: lost, doubled, misplaced, miscounted, standing still without a reason
 *
 * A record that was committed, or that the log still holds, is exactly one row
 * or one quarantined record; one that the log lost before that is at most one.
 * In a partition that stands still what comes after its position may wait. Of
 * events that come again within a time one is stored: nothing is owed for a
 * record that repeats a stored one, and it is nowhere.
 *
 * @module
 */
import { announcedMs, decodeMark, type Intent, type LastRecord, type Quarantined } from "@weir/actors";
import type { FakeLog } from "./fake_log.ts";
import type { FakePartition, Stored } from "./fake_topic.ts";
import type { FakeWarehouse } from "./fake_warehouse.ts";

/** What a run is judged by; `stopped` says why which partitions stand still. */
export interface Evidence {
  readonly log: FakeLog;
  readonly warehouse: FakeWarehouse;
  /** Batches whose tokens the warehouse remembers. */
  readonly windowParts: number;
  readonly stopped: ReadonlyMap<number, string>;
  /** For how long records of one key repeat the stored one; undefined where they have none. */
  readonly withinMs: number | undefined;
}

/** True if everything has landed and been committed, but for partitions that stand still. */
export function isSettled({ log, stopped }: Evidence): boolean {
  if (log.isDeleted) return false;
  return log.partitions.every((held, partition) => {
    if (stopped.has(partition)) return true;
    const end = endOf(held);
    const commit = log.commits.get(partition);
    if (commit !== undefined) return commit.offset >= end && decodeMark(commit.metadata)?.intent === undefined;
    // Expired offsets come back with the next batch; until then the ledger knows the position.
    return held.committed >= end;
  });
}

/** Says what is wrong. */
export function audit(evidence: Evidence): string[] {
  return [...rowsAsOwed(evidence), ...markersAddUp(evidence), ...stoppedWithReason(evidence)];
}

/** What a source that stops at drift must not have done yet. */
export function beyondDrift(evidence: Evidence): string[] {
  const { rows, quarantine } = evidence.warehouse;
  const stored = new Set(rows.map(({ id }) => id));
  const stoppedAt = new Set<string>();
  const problems = quarantine.map((bad) => `${nameOfBad(bad)}: was quarantined instead of stopping`);
  const { perhaps } = repeatsOf(evidence);
  // Records come in the order of their offsets.
  for (const { name, topic, partition, record } of recordsOf(evidence)) {
    const place = `${topic}/${partition}`;
    if (!record.gone && !record.value.includes('"good"') && !perhaps.has(name)) stoppedAt.add(place);
    else if (stoppedAt.has(place) && stored.has(name))
      problems.push(`${name}: was stored behind a record that stops it`);
  }
  return problems;
}

function rowsAsOwed(evidence: Evidence): string[] {
  const { rows, quarantine } = evidence.warehouse;
  const found = new Map<string, string[]>();
  const add = (name: string, what: string) => found.set(name, [...(found.get(name) ?? []), what]);
  for (const { partition, offset, id } of rows) add(id, `${partition}/${offset} stored`);
  for (const bad of quarantine) add(nameOfBad(bad), `${bad.partition}/${bad.offset} quarantined`);
  const problems: string[] = [];
  const repeats = repeatsOf(evidence);
  for (const { name, place, record, isOwed } of recordsOf(evidence)) {
    const expected = `${place} ${record.value.includes('"good"') ? "stored" : "quarantined"}`;
    const actual = found.get(name) ?? [];
    found.delete(name);
    if (repeats.sure.has(name)) problems.push(`${name}: repeats a stored record, found: ${actual.join(", ")}`);
    if (actual.length === 0 && (!isOwed || repeats.perhaps.has(name))) continue;
    if (actual.length === 1 && actual[0] === expected) continue;
    problems.push(`${name}: ${expected} is expected, found: ${actual.join(", ") || "nothing"}`);
  }
  for (const [name, what] of found) problems.push(`${name}: was never sent, found: ${what.join(", ")}`);
  return problems;
}

/** Of records that the engine would see: those that repeat a stored one, surely, or perhaps because topic or epoch are new. */
function repeatsOf(evidence: Evidence): { readonly sure: ReadonlySet<string>; readonly perhaps: ReadonlySet<string> } {
  const { withinMs, warehouse } = evidence;
  const [sure, perhaps] = [new Set<string>(), new Set<string>()];
  if (withinMs === undefined) return { sure, perhaps };
  const epochs = new Map(warehouse.rows.map(({ id, epoch }) => [id, epoch]));
  const lastMs = new Map<string, number>();
  for (const { name, topic, partition, record } of recordsOf(evidence)) {
    const key = /"key":"(\w+)"/.exec(record.value)?.[1];
    if (key === undefined || record.value.includes('"bad"')) continue;
    const epoch = epochs.get(name);
    const anywhere = `${partition}/${key}`;
    const here = `${anywhere} ${topic} ${epoch}`;
    const isRepeat = (of: string) => (lastMs.get(of) ?? Number.NEGATIVE_INFINITY) > record.timestampMs - withinMs;
    if (isRepeat(anywhere)) perhaps.add(name);
    if (epoch === undefined) continue;
    if (isRepeat(here)) sure.add(name);
    for (const of of [anywhere, here]) lastMs.set(of, record.timestampMs);
  }
  return { sure, perhaps };
}

/** The markers count what there is; only rows that nobody is owed may lack one, when their batch died with its topic. */
function markersAddUp(evidence: Evidence): string[] {
  const { rows, quarantine, markers } = evidence.warehouse;
  const sent = new Map([...recordsOf(evidence)].map((one) => [one.name, one]));
  const counted = new Set<string>();
  let [stored, quarantined] = [0, 0];
  for (const marker of markers.values()) {
    stored += marker.stored;
    quarantined += marker.quarantined;
    for (const [index, { partition, from, to }] of marker.ranges.entries()) {
      const topic = topicOf(evidence.log, partition, marker.lasts[index]);
      for (let offset = from; offset < to; offset++) counted.add(`${topic}/${partition}/${offset}`);
    }
  }
  const isMarked = (name: string) => counted.has(`${sent.get(name)?.topic}/${sent.get(name)?.place}`);
  const unmarked = rows.filter(({ id }) => !isMarked(id));
  const markedRows = rows.length - unmarked.length;
  const markedQuarantine = quarantine.filter((bad) => isMarked(nameOfBad(bad))).length;
  return [
    ...unmarked.filter(({ id }) => sent.get(id)?.isOwed).map(({ id }) => `${id}: its batch has no marker`),
    ...(stored === markedRows ? [] : [`markers say ${stored} stored, the table has ${markedRows} of theirs`]),
    ...(quarantined === markedQuarantine
      ? []
      : [`markers say ${quarantined} quarantined, there are ${markedQuarantine} of theirs`]),
  ];
}

/** Which of the topics of one name a record lies in; offsets alone do not tell. */
function topicOf({ topics }: FakeLog, partition: number, last: LastRecord | undefined): number {
  return topics.findIndex((partitions) =>
    partitions[partition]?.records.some((one) => one.offset === last?.offset && one.timestampMs === last.timestampMs),
  );
}

/** A partition stands still only if what it needs to be sure is gone: its records, or the memory of its batch. */
function stoppedWithReason({ log, warehouse, windowParts, stopped }: Evidence): string[] {
  const open = [...log.commits.values()].flatMap(({ metadata }) => decodeMark(metadata)?.intent ?? []);
  const ledger = new Map(warehouse.positions().map((at) => [at.partition, at.last?.offset]));
  const since = (intent: Intent) =>
    warehouse.batchesSince({ sinceMs: announcedMs(intent), partition: intent.ranges[0]!.partition });
  return [...stopped].flatMap(([partition, note]) => {
    const intents = open.filter(({ ranges }) => ranges.some((range) => range.partition === partition));
    const isHoled = intents.some(({ ranges }) =>
      ranges.some((range) => log.partitions[range.partition].isHoled(range)),
    );
    const isForgotten = intents.some((intent) => since(intent) > windowParts / 2);
    const last = ledger.get(partition);
    const isUnknown = !log.commits.has(partition) && last !== undefined && !log.partitions[partition].has(last);
    return isHoled || isForgotten || isUnknown ? [] : [`partition ${partition} stands still without a reason: ${note}`];
  });
}

interface Sent {
  readonly name: string;
  readonly topic: number;
  readonly partition: number;
  readonly place: string;
  readonly record: Stored;
  readonly isOwed: boolean;
}

/** Every record that was ever sent. */
function* recordsOf({ log, stopped }: Evidence): Generator<Sent> {
  for (const [topic, partitions] of log.topics.entries()) {
    const isThere = topic === log.topics.length - 1 && !log.isDeleted;
    for (const [partition, { records, committed }] of partitions.entries()) {
      for (const record of records) {
        const isWaiting = isThere && stopped.has(partition) && record.offset >= committed;
        const place = `${partition}/${record.offset}`;
        yield { name: nameOf(record.value), topic, partition, place, record, isOwed: record.owed && !isWaiting };
      }
    }
  }
}

/** What a record is called in the table: its id, or all of it when it is not JSON. */
function nameOf(value: string): string {
  return value.startsWith("{") ? (JSON.parse(value) as { id: string }).id : value;
}

function nameOfBad({ raw }: Quarantined): string {
  return nameOf(new TextDecoder().decode(raw ?? undefined));
}

/** Behind the last record that can be read. */
function endOf({ records }: FakePartition): number {
  return (records.findLast(({ gone }) => !gone)?.offset ?? -1) + 1;
}
