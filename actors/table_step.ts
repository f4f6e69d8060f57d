/**
 * The table actor's decisions: how records of many partitions become exactly one insert each.
 *
 *   waiting ──assigned──▶ locating ──located──▶ recovering ──no intent open──▶ filling ◀───────────────┐
 *      ▲                                             │                           │ full or old         │
 *      │                                        reread │                           ▼                     │
 *      │                                             └────────────────────▶ announcing ──intent kept──▶ landing
 *      └──fenced (somebody else owns it now)── any commit                        ▲                     │ landed
 *                                                              new deadline      └─delayed◀────────────┤
 *                                                              same token                              ▼
 *                                                                                     filling ◀── advancing
 *
 * Pure. Only one batch is under way; while it lands, the next one fills. What
 * must hold: an intent is kept before its insert, an announced cut is never
 * changed, positions move only after the insert and only under the generation
 * that announced it.
 *
 * @module
 */
import type { Commit, MembershipEvent, Records } from "@weir/connectors";
import { cut, rowsReady } from "./batch.ts";
import { dueInMs } from "./batch_age.ts";
import { type Intent, sameCut, tokenOf } from "./intent.ts";
import type { Located, Place } from "./position.ts";
import type { Command, Turn } from "./runtime/actor.ts";
import { withdraw } from "./table_drift.ts";
import { stopAtGap } from "./table_gap.ts";
import {
  type Batch,
  isEnding,
  isFull,
  isStill,
  type Landed,
  lateAfter,
  markOf,
  type Owned,
  readyOf,
  repeated,
  type TableAction,
  type TableMessage,
  type TableState,
} from "./table_state.ts";

type TableTurn = Turn<TableState, TableMessage, TableAction>;
type TableCommand = Command<TableMessage, TableAction>;

/** Decides; does nothing. */
export function stepTable(state: TableState, message: TableMessage, nowMs: number): TableTurn {
  switch (message.kind) {
    case "assigned":
      return onAssigned(state, message);
    case "revoked":
      return settle({ ...state, leaving: message.partitions }, nowMs);
    case "located":
      return message.generation === state.generation && state.phase === "locating"
        ? onLocated(state, message.places, nowMs)
        : [state, []];
    case "reread":
      return state.phase === "recovering" && isOpen(state, message.intent)
        ? onReread(state, message, nowMs)
        : [state, []];
    case "unrecoverable":
      return state.phase === "recovering" && isOpen(state, message.intent)
        ? onUnrecoverable(state, message, nowMs)
        : [state, []];
    case "offered":
      return message.generation === state.generation ? onOffered(state, message, nowMs) : [state, []];
    case "gapped":
      return message.generation === state.generation ? stopAtGap(state, message) : [state, []];
    case "aged":
      return fill(state, nowMs);
    case "announced":
      return state.phase === "announcing" && state.batch?.token === message.token
        ? land(state, state.batch, nowMs)
        : [state, []];
    case "landed":
      return state.phase === "landing" && state.batch?.token === message.token
        ? onLanded(state, message.landed, nowMs)
        : [state, []];
    case "delayed":
      return state.phase === "landing" && state.batch?.token === message.token
        ? onDelayed(state, message.note)
        : [state, []];
    case "drifted":
      return state.phase === "landing" && state.batch?.token === message.token
        ? withdraw(state, { batch: state.batch, drifts: message.drifts })
        : [state, []];
    case "again":
      return state.phase === "delayed" && state.batch !== undefined
        ? announce(state, repeated(state.batch), nowMs)
        : [state, []];
    case "advanced":
      if (state.phase === "withdrawing" && state.batch?.token === message.token) return onWithdrawn(state, nowMs);
      return state.phase === "advancing" && state.batch?.token === message.token
        ? onAdvanced(state, nowMs)
        : [state, []];
    case "fenced":
      return message.generation === state.generation ? onFenced(state) : [state, []];
    case "drain":
      return settle({ ...state, draining: true }, nowMs);
  }
}

const act = (action: TableAction): TableCommand => ({ kind: "act", action });
const start = (action: TableAction): TableCommand => ({ kind: "start", action });

function onAssigned(state: TableState, event: Extract<MembershipEvent, { kind: "assigned" }>): TableTurn {
  // Whatever is under way ends first: its commit is either still allowed or fenced, and both lead to `settle`.
  if (state.batch !== undefined) return [{ ...state, next: event }, []];
  const { generation, partitions } = event;
  const anew = { next: undefined, stopped: new Map(), evolving: new Set<number>() };
  const fresh: TableState = { ...forget(state), ...anew, phase: "locating", generation };
  return [fresh, [act({ kind: "halt" }), start({ kind: "locate", generation, partitions })]];
}

/** Nothing is owned any more; what was ready is read again by whoever owns it next. */
function forget(state: TableState): TableState {
  const nothing = {
    batch: undefined,
    following: undefined,
    waiting: undefined,
    openedMs: undefined,
    leaving: undefined,
  };
  return { ...state, ...nothing, phase: "waiting", owned: new Map(), open: [], reading: false };
}

function onLocated(state: TableState, places: readonly Located[], nowMs: number): TableTurn {
  const owned = new Map<number, Owned>();
  const stopped = new Map<number, string>();
  const open: Intent[] = [];
  for (const place of places) {
    if (place.kind === "stopped") {
      stopped.set(place.partition, place.note);
      continue;
    }
    const { partition, offset, topic, epoch, last, intent, lateUntilMs } = place;
    const ready = { next: offset, slices: [] };
    owned.set(partition, { topic, epoch, last, committed: offset, ready, open: intent, lateUntilMs });
    if (intent !== undefined && !open.some((other) => sameCut(other, intent))) open.push(intent);
  }
  // Partitions of one topic share the newest epoch: a batch has one, and epochs never decrease.
  const epoch = Math.max(1, ...[...owned.values()].map((at) => at.epoch));
  for (const [partition, at] of owned) owned.set(partition, { ...at, epoch });
  return recoverNext({ ...state, owned, stopped, open }, nowMs);
}

/** Takes the next open intent, or lets the partitions be read. */
function recoverNext(state: TableState, nowMs: number): TableTurn {
  if (state.leaving !== undefined || state.next !== undefined) return settle({ ...state, phase: "filling" }, nowMs);
  if (state.open.length > 0)
    return [{ ...state, phase: "recovering" }, [start({ kind: "reread", intent: state.open[0] })]];
  if (state.draining) return settle({ ...state, phase: "filling" }, nowMs);
  const positions = [...state.owned].map(
    ([partition, { epoch, last, ready }]): Place => ({
      kind: "place",
      partition,
      offset: ready.next,
      epoch,
      last,
      intent: undefined,
    }),
  );
  const visible = new Map(positions.map(({ partition, offset }) => [partition, offset]));
  return [
    { ...state, phase: "filling", reading: true },
    [act({ kind: "visible", positions: visible }), act({ kind: "read", generation: state.generation, positions })],
  ];
}

function isOpen(state: TableState, intent: Intent): boolean {
  return state.open.length > 0 && sameCut(state.open[0], intent);
}

function onReread(state: TableState, message: Extract<TableMessage, { kind: "reread" }>, nowMs: number): TableTurn {
  const { intent, parts, landed } = message;
  const batch: Batch = { intent, parts, token: tokenOf(state.setup.statement, intent), tries: 0 };
  const taken: TableState = { ...state, open: state.open.slice(1), owned: lateAfter(state, intent) };
  if (landed === undefined) return announce(taken, repeated(batch), nowMs);
  return onLanded({ ...taken, batch, phase: "landing" }, landed, nowMs);
}

function onUnrecoverable(
  state: TableState,
  { intent, note }: { intent: Intent; note: string },
  nowMs: number,
): TableTurn {
  const owned = new Map(state.owned);
  const stopped = new Map(state.stopped);
  for (const { partition } of intent.ranges) if (owned.delete(partition)) stopped.set(partition, note);
  return recoverNext({ ...state, owned, stopped, open: state.open.slice(1), note }, nowMs);
}

function onOffered(
  state: TableState,
  { partition, records }: { partition: number; records: Records },
  nowMs: number,
): TableTurn {
  const at = state.owned.get(partition);
  if (at === undefined || state.stopped.has(partition)) return [state, []];
  const owned = new Map(state.owned);
  owned.set(partition, {
    ...at,
    ready: { next: at.ready.next, slices: [...at.ready.slices, { records, start: 0, end: records.count }] },
  });
  const offered: TableState = { ...state, owned, openedMs: state.openedMs ?? nowMs };
  return state.phase === "filling" ? fill(offered, nowMs) : getReady(offered, nowMs);
}

/** While a batch lands, cuts the next one as soon as it is full and has it prepared. */
function getReady(state: TableState, nowMs: number): TableTurn {
  if (!state.reading || state.waiting !== undefined || !isFull(state)) return [state, []];
  const [next, batch] = cutBatch(state, nowMs);
  if (batch === undefined) return [state, []];
  return [
    { ...next, waiting: batch },
    [start({ kind: "prepare", batch }), act({ kind: "consumed", parts: batch.parts })],
  ];
}

/** Cuts a batch if there is reason to, or arranges to look again when it has aged. */
function fill(state: TableState, nowMs: number): TableTurn {
  if (state.phase !== "filling") return [state, []];
  if (state.waiting !== undefined) return announce({ ...state, waiting: undefined }, state.waiting, nowMs);
  const [filled, batch] = cutBatch(state, nowMs);
  if (batch !== undefined) {
    const [next, commands] = announce(filled, batch, nowMs);
    return [next, [...commands, act({ kind: "consumed", parts: batch.parts })]];
  }
  const { openedMs, last, setup } = state;
  if (openedMs === undefined) return [state, []];
  const delayMs = Math.max(1, dueInMs(setup.limits, last, { openedMs, nowMs }));
  return [state, [{ kind: "after", timer: "age", delayMs, message: { kind: "aged" } }]];
}

/** Takes a batch out of what is ready if it is full or old enough. */
function cutBatch(state: TableState, nowMs: number): readonly [TableState, Batch | undefined] {
  const { limits, statement, catalog } = state.setup;
  const { openedMs, last } = state;
  if (openedMs === undefined || isEnding(state)) return [state, undefined];
  const ready = readyOf(state);
  if (!isFull(state) && dueInMs(limits, last, { openedMs, nowMs }) > 0) return [state, undefined];
  const [{ epoch }] = state.owned.values();
  const { parts, rest } = cut(ready, limits);
  const owned = new Map<number, Owned>();
  for (const [partition, left] of rest) owned.set(partition, { ...(state.owned.get(partition) as Owned), ready: left });
  const intent: Intent = { epoch, catalog, atMs: nowMs, ranges: parts.map((part) => part.range) };
  const batch: Batch = { intent, parts, token: tokenOf(statement, intent), tries: 0 };
  const left = [...owned.values()].some((at) => at.ready.slices.length > 0);
  return [{ ...state, owned, openedMs: left ? nowMs : undefined }, batch];
}

/** Keeps the intent in the metadata of every partition of the vector that is owned here; positions stay. */
function announce(state: TableState, batch: Batch, nowMs: number): TableTurn {
  const fresh: Batch = { ...batch, intent: { ...batch.intent, atMs: nowMs } };
  const { generation } = state;
  return [
    { ...state, phase: "announcing", batch: fresh },
    [
      { kind: "cancel", timer: "age" },
      start({ kind: "announce", generation, token: fresh.token, commits: intentCommits(state, fresh) }),
    ],
  ];
}

function intentCommits(state: TableState, { intent }: Batch): Commit[] {
  return intent.ranges.flatMap(({ partition, from }) => {
    const at = state.owned.get(partition);
    if (isStill(at, { from, intent }))
      return [{ partition, offset: from, metadata: markOf(at, { last: at.last, intent }) }];
    if (state.reading) throw new Error(`Cannot announce ${partition}[${from}: it stands elsewhere. This is a bug.`);
    return [];
  });
}

/** Lands the batch, and has the next one prepared meanwhile if it is full: readers that are ahead offer nothing more. */
function land(state: TableState, batch: Batch, nowMs: number): TableTurn {
  const deadlineMs = batch.intent.atMs + state.setup.limits.deadlineMs;
  const [next, commands] = getReady({ ...state, phase: "landing" }, nowMs);
  return [next, [start({ kind: "land", batch, deadlineMs }), ...commands]];
}

function onDelayed(state: TableState, note: string): TableTurn {
  const { retryMsMin, retryMsMax } = state.setup.limits;
  const batch = { ...(state.batch as Batch), tries: (state.batch as Batch).tries + 1 };
  const delayMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(batch.tries - 1, 20));
  return [
    { ...state, phase: "delayed", batch, note },
    [{ kind: "after", timer: "again", delayMs, message: { kind: "again" } }],
  ];
}

/** The intent is taken back: what was in front of the record that does not fit is cut anew. */
function onWithdrawn(state: TableState, nowMs: number): TableTurn {
  const openedMs = rowsReady(readyOf(state)) > 0 ? nowMs : undefined;
  const ended: TableState = { ...state, batch: undefined, phase: "filling", openedMs };
  return state.reading ? settle(ended, nowMs) : recoverNext(ended, nowMs);
}

/** The rows are there: moves the positions, and announces the next batch with the same commit if one is due. */
function onLanded(state: TableState, landed: Landed, nowMs: number): TableTurn {
  const batch = state.batch as Batch;
  const owned = new Map(state.owned);
  const commits = new Map<number, Commit>();
  for (const { range, last } of batch.parts) {
    const { partition, from, to } = range;
    const at = owned.get(partition);
    if (at?.committed !== from) continue;
    const ready = { ...at.ready, next: Math.max(at.ready.next, to) };
    owned.set(partition, { ...at, last, committed: to, ready, open: undefined });
    commits.set(partition, { partition, offset: to, metadata: markOf(at, { last }) });
  }
  const counted: TableState = {
    ...state,
    owned,
    phase: "advancing",
    last: { tookMs: landed.tookMs, rows: landed.stored, atMs: nowMs },
    rows: state.rows + landed.stored,
    quarantined: state.quarantined + landed.quarantined,
    note: undefined,
  };
  const [filled, following, isNew] = nextBatch(counted, nowMs);
  if (following !== undefined)
    for (const commit of intentCommits(filled, following)) commits.set(commit.partition, commit);
  const advance: TableAction = {
    kind: "advance",
    generation: state.generation,
    token: batch.token,
    commits: [...commits.values()],
  };
  const consumed = following !== undefined && isNew ? [act({ kind: "consumed", parts: following.parts })] : [];
  return [{ ...filled, following, waiting: undefined }, [start(advance), ...consumed]];
}

/** The batch to be announced with the commit of the one that has landed, and whether it was cut just now. */
function nextBatch(state: TableState, nowMs: number): readonly [TableState, Batch | undefined, boolean] {
  const { waiting } = state;
  if (!state.reading || isEnding(state)) return [state, undefined, false];
  if (waiting !== undefined) return [state, { ...waiting, intent: { ...waiting.intent, atMs: nowMs } }, false];
  return [...cutBatch(state, nowMs), true];
}

function onAdvanced(state: TableState, nowMs: number): TableTurn {
  const { parts } = state.batch as Batch;
  const positions = new Map(
    parts.flatMap(({ range }) => (state.owned.has(range.partition) ? [[range.partition, range.to] as const] : [])),
  );
  const visible = act({ kind: "visible", positions });
  if (state.following !== undefined) {
    const landing = { ...state, batch: state.following, following: undefined };
    const [next, commands] = land(landing, state.following, nowMs);
    return [next, [visible, ...commands]];
  }
  const ended: TableState = { ...state, batch: undefined, phase: "filling" };
  const [next, commands] = state.reading ? settle(ended, nowMs) : recoverNext(ended, nowMs);
  return [next, [visible, ...commands]];
}

/** Somebody else owns the partitions: forgets them and waits for the group's next word. */
function onFenced(state: TableState): TableTurn {
  const lost = forget(state);
  const cancelled: TableCommand[] = [
    { kind: "cancel", timer: "age" },
    { kind: "cancel", timer: "again" },
    act({ kind: "halt" }),
  ];
  const leaving = state.leaving === undefined ? [] : [act({ kind: "release", partitions: state.leaving })];
  if (state.next === undefined) {
    const drained = state.draining ? [act({ kind: "drained" })] : [];
    return [lost, [...cancelled, ...leaving, ...drained]];
  }
  const [next, commands] = onAssigned(lost, state.next);
  return [next, [...cancelled, ...leaving, ...commands]];
}

/** Between two batches: does what had to wait for this moment, or goes on filling. */
function settle(state: TableState, nowMs: number): TableTurn {
  if (state.batch !== undefined) return [state, []];
  if (state.leaving !== undefined) {
    const [next, commands] = settle(forget(state), nowMs);
    return [next, [act({ kind: "halt" }), act({ kind: "release", partitions: state.leaving }), ...commands]];
  }
  if (state.next !== undefined) return onAssigned({ ...state, next: undefined }, state.next);
  if (state.draining) return [{ ...state, phase: "waiting" }, [act({ kind: "halt" }), act({ kind: "drained" })]];
  return fill(state, nowMs);
}
