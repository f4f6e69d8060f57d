/**
 * Words for the tests of the table actor's decisions.
 *
 * Messages are told one after the other, with the time moving on where a number
 * stands; what the last one is answered with is read in words:
 * `announce g1 0@0+0[0,2)` commits under generation 1 partition 0 at offset 0
 * with the intent of one range in it.
 *
 * @module
 */
import type { Commit } from "@weir/connectors";
import { type Part, partOf } from "./batch.ts";
import { decodeMark, type Intent, tokenOf } from "./intent.ts";
import type { Place } from "./position.ts";
import { numbered } from "./records_fixture.ts";
import type { Command } from "./runtime/actor.ts";
import { emptyTable, type TableAction, type TableMessage, type TableState } from "./table_state.ts";
import { stepTable } from "./table_step.ts";

export const T0 = 1_000_000;
export const SETUP = {
  statement: "ods.t",
  catalog: 3,
  limits: {
    rowsMax: 4,
    bytesMax: 1e6,
    ageMsMin: 20,
    ageMsMax: 500,
    deadlineMs: 60_000,
    retryMsMin: 50,
    retryMsMax: 5_000,
    lateMs: 0,
  },
};

/** A message, or milliseconds after T0 from where on the next ones come. */
export type Step = TableMessage | number;

export const assigned = (generation: number, ...partitions: number[]): Step => ({
  kind: "assigned",
  generation,
  partitions,
});
export const revoked = (generation: number, ...partitions: number[]): Step => ({
  kind: "revoked",
  generation,
  partitions,
});
export const located = (generation: number, ...places: readonly Place[]): Step => ({
  kind: "located",
  generation,
  places,
});
export const offered = (generation: number, partition: number, [from, to]: readonly [number, number]): Step => ({
  kind: "offered",
  generation,
  partition,
  records: numbered(to - from, { from, partition }),
});
export const token = (vector: string, epoch = 1) => tokenOf("ods.t", { ...intent(vector), epoch });
export const announced = (vector: string): Step => ({ kind: "announced", token: token(vector) });
export const landed = (vector: string, { stored = 2, tookMs = 0 } = {}): Step => ({
  kind: "landed",
  token: token(vector),
  landed: { stored, quarantined: 1, tookMs },
});
export const delayed = (vector: string): Step => ({ kind: "delayed", token: token(vector), note: "memory limit" });
export const advanced = (vector: string): Step => ({ kind: "advanced", token: token(vector) });
export const fenced = (generation: number): Step => ({ kind: "fenced", generation });
export const aged: Step = { kind: "aged" };
export const again: Step = { kind: "again" };
export const drain: Step = { kind: "drain" };

export const place = (partition: number, offset: number, more: Partial<Place> = {}): Place => ({
  kind: "place",
  partition,
  offset,
  epoch: 1,
  last: undefined,
  intent: undefined,
  ...more,
});

/** Parts as they are read again for `0[0,4)1[2,4)`. */
export function partsOf(vector: string): Part[] {
  return [...vector.matchAll(/(\d+)\[(\d+),(\d+)\)/g)].map(([, partition, from, to]) => {
    const records = numbered(Number(to) - Number(from), { from: Number(from), partition: Number(partition) });
    const slices = [{ records, start: 0, end: records.count }];
    return partOf({ partition: Number(partition), from: Number(from), slices });
  });
}

export const intent = (vector: string, atMs = 5): Intent => ({
  epoch: 1,
  catalog: 3,
  atMs,
  ranges: partsOf(vector).map(({ range }) => range),
});
export const reread = (vector: string, done?: { stored: number; quarantined: number; tookMs: number }): Step => ({
  kind: "reread",
  intent: intent(vector),
  parts: partsOf(vector),
  landed: done,
});
export const lost = (vector: string): Step => ({
  kind: "unrecoverable",
  intent: intent(vector),
  note: `lost ${vector}`,
});

export function play(steps: readonly Step[], from: TableState = emptyTable(SETUP)) {
  let state = from;
  let nowMs = T0;
  let commands: readonly Command<TableMessage, TableAction>[] = [];
  for (const step of steps) {
    if (typeof step === "number") nowMs = T0 + step;
    else [state, commands] = stepTable(state, step, nowMs);
  }
  return { state, commands, told: commands.map(told) };
}

const vectorOf = ({ ranges }: Intent): string => ranges.map((r) => `${r.partition}[${r.from},${r.to})`).join("");

function commitsTold(commits: readonly Commit[]): string {
  const one = ({ partition, offset, metadata }: Commit) => {
    const mark = decodeMark(metadata);
    return `${partition}@${offset}${mark?.intent === undefined ? "" : `+${vectorOf(mark.intent)}`}`;
  };
  return commits.map((commit) => ` ${one(commit)}`).join("");
}

const placesTold = (places: Iterable<readonly [number, number]>): string =>
  [...places].map(([partition, offset]) => ` ${partition}@${offset}`).join("");

function actionTold(action: TableAction): string {
  switch (action.kind) {
    case "locate":
      return `locate g${action.generation} ${action.partitions}`;
    case "reread":
      return `reread ${vectorOf(action.intent)}`;
    case "announce":
    case "advance":
      return `${action.kind} g${action.generation}${commitsTold(action.commits)}`;
    case "prepare":
      return `prepare ${vectorOf(action.batch.intent)}`;
    case "land":
      return `land ${vectorOf(action.batch.intent)} by ${action.deadlineMs - T0}`;
    case "read":
      return `read g${action.generation}${placesTold(action.positions.map((at) => [at.partition, at.offset]))}`;
    case "consumed":
    case "returned":
      return `${action.kind} ${action.parts.map(({ range }) => `${range.partition}[${range.from},${range.to})`).join("")}`;
    case "visible":
      return `visible${placesTold(action.positions)}`;
    case "release":
      return `release ${action.partitions}`;
    case "note gap":
      return `note gap ${action.gap.partition}[${action.gap.from},${action.gap.to}) of epoch ${action.gap.epoch}`;
    case "halt":
    case "drained":
      return action.kind;
  }
}

function told(command: Command<TableMessage, TableAction>): string {
  switch (command.kind) {
    case "act":
      return actionTold(command.action);
    case "start":
      return `start ${actionTold(command.action)}`;
    case "after":
      return `after ${Math.round(command.delayMs)} ${command.message.kind}`;
    case "cancel":
      return `cancel ${command.timer}`;
    case "stop":
      return "stop";
  }
}

/** Owns partitions 0 and 1 from offset 0 and reads them. */
export const FILLING: readonly Step[] = [assigned(1, 0, 1), located(1, place(0, 0), place(1, 0))];
/** Two records of partition 0 announced, landing, landed. */
export const ANNOUNCING: readonly Step[] = [...FILLING, offered(1, 0, [0, 2]), 20, aged];
export const LANDING: readonly Step[] = [...ANNOUNCING, 25, announced("0[0,2)")];
export const ADVANCING: readonly Step[] = [...LANDING, 30, landed("0[0,2)")];

/** One line of the protocol: the steps, and what the last one is answered with. */
export type Row = readonly [what: string, steps: readonly Step[], expected: readonly string[]];
