/**
 * Drift: what a batch becomes that has a record which does not fit, where its source says `drift: stop`, or `drift:
 * evolve` and columns are all that it lacks.
 *
 *   landing ──drifted──▶ withdrawing ──intent taken back──▶ filling: up to the record, and no further in its partition
 *
 * Pure. An announced cut is never changed once it may have been inserted. This
 * one was not, by nobody: whoever tries it finds the same record first. So the
 * intent is taken back, which also lets a corrected definition come into force,
 * and what is good of it is cut anew.
 *
 * @module
 */
import type { Commit } from "@weir/connectors";
import type { Part, Slice } from "./batch.ts";
import type { Turn } from "./runtime/actor.ts";
import {
  type Batch,
  type Drift,
  isStill,
  markOf,
  type Owned,
  type TableAction,
  type TableMessage,
  type TableState,
} from "./table_state.ts";

/** Takes a batch back: its records wait again, those in front of a record that does not fit are the last of their partition. */
export function withdraw(
  state: TableState,
  { batch, drifts }: { batch: Batch; drifts: readonly Drift[] },
): Turn<TableState, TableMessage, TableAction> {
  const owned = new Map(state.owned);
  const stopped = new Map(state.stopped);
  const evolving = new Set(state.evolving);
  const commits: Commit[] = [];
  // Readers count again what was cut already.
  const returned: Part[] = [...(state.waiting?.parts ?? [])];
  const waiting = new Map(state.waiting?.parts.map((part) => [part.range.partition, part]));
  for (const part of batch.parts) {
    const { partition, from } = part.range;
    const at = owned.get(partition);
    // Only a recovered vector may have partitions of others: they find the same, and take back their own.
    if (!isStill(at, { from, intent: batch.intent })) continue;
    owned.set(partition, { ...at, open: undefined });
    commits.push({
      partition,
      offset: from,
      metadata: markOf(at, { last: at.last }),
    });
    // What was recovered is read again, and comes back here.
    if (!state.reading) continue;
    const drift = drifts.find((one) => one.partition === partition);
    if (drift !== undefined) stopped.set(partition, drift.note);
    if (drift?.isEvolving === true) evolving.add(partition);
    owned.set(partition, waitingAgain(at, { part, next: waiting.get(partition), drift }));
    waiting.delete(partition);
    returned.push(part);
  }
  for (const [partition, part] of waiting) {
    const at = owned.get(partition);
    if (at !== undefined) owned.set(partition, waitingAgain(at, { part, next: undefined, drift: undefined }));
  }
  const { generation } = state;
  return [
    { ...state, phase: "withdrawing", owned, stopped, evolving, waiting: undefined, note: drifts[0]?.note },
    [
      ...(returned.length === 0 ? [] : [{ kind: "act", action: { kind: "returned", parts: returned } } as const]),
      { kind: "start", action: { kind: "advance", generation, token: batch.token, commits } },
    ],
  ];
}

/** What is ready of one partition with the records of a part in front of it again. */
function waitingAgain(
  at: Owned,
  { part, next, drift }: { part: Part; next: Part | undefined; drift: Drift | undefined },
): Owned {
  const slices =
    drift === undefined
      ? [...part.slices, ...(next?.slices ?? []), ...at.ready.slices]
      : part.slices.flatMap((slice) => before(slice, drift.offset));
  return { ...at, ready: { next: part.range.from, slices } };
}

/** The records of a slice in front of an offset. */
function before({ records, start, end }: Slice, offset: number): readonly Slice[] {
  let until = start;
  while (until < end && records.offsets[until] < offset) until++;
  return until === start ? [] : [{ records, start, end: until }];
}
