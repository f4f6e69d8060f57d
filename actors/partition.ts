/**
 * The partition actor: reads one partition of the log, in order, and offers what it read to its table.
 *
 *   reading ──read──▶ offered ──room left──▶ reading
 *                        └──aheadBytesMax offered──▶ full ──consumed──▶ reading
 *   reading ──a schema is not known yet──▶ asking, as long as the registry is away ──known──▶ offered
 *   reading ──gap──▶ stopped (loudly: the log no longer has what comes next; its table hears of it)
 *   reading ──cannot be read, however often──▶ stopped (damaged, or compressed as nobody can undo; the other partitions go on)
 *
 * A read that found little is followed by a short pause, so that a trickle of
 * single events costs a hundred reads a second at most, not one per event.
 *
 * @module
 */
import { heldBytes, Log, type OffsetGap, type Records } from "@weir/connectors";
import { Effect } from "effect";
import { AWAY_RETRY } from "./away_retry.ts";
import { gapNote } from "./position.ts";
import type { Behaviour, Command, Turn } from "./runtime/actor.ts";
import { ESCALATE } from "./runtime/supervision.ts";
import { isUnreadable, UNREADABLE_RETRY } from "./unreadable.ts";

/** Bounds of a partition actor. */
export interface PartitionLimits {
  /** One read. */
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** What is held of records offered and not yet cut into a batch, in bytes of memory. */
  readonly aheadBytesMax: number;
  /** How long one read waits for news. */
  readonly waitMs: number;
  /** Pause after a read that did not fill its bounds. */
  readonly pauseMs: number;
}

export interface PartitionState {
  readonly next: number;
  readonly ahead: number;
  readonly phase: "reading" | "asking" | "pausing" | "full" | "stopped";
  readonly rows: number;
  readonly note: string | undefined;
}

export type PartitionMessage =
  | { readonly kind: "read"; readonly records: Records }
  | { readonly kind: "asking"; readonly note: string }
  | { readonly kind: "gap"; readonly gap: OffsetGap }
  | { readonly kind: "unreadable"; readonly note: string }
  | { readonly kind: "rested" }
  | { readonly kind: "consumed"; readonly bytes: number };

type PartitionAction =
  | { readonly kind: "read"; readonly offset: number }
  | { readonly kind: "offer"; readonly records: Records }
  | { readonly kind: "stopped"; readonly note: string; readonly gap: OffsetGap | undefined };

/** What a partition actor is for. */
export interface PartitionSetup {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** As they are now: how much one partition may hold depends on how many others are read. */
  readonly limits: () => PartitionLimits;
  /** Waits until everything is known that records need to be decoded; `note` hears what is waited for. */
  readonly known: (records: Records, note: (note: string) => Effect.Effect<unknown>) => Effect.Effect<unknown, unknown>;
  /** Hands records to the table; waits while its mailbox is full. */
  readonly offer: (records: Records) => Effect.Effect<unknown>;
  /** Tells the table that what comes next is gone, or cannot be read. */
  readonly stopped: (why: { readonly note: string; readonly gap: OffsetGap | undefined }) => Effect.Effect<unknown>;
}

type PartitionTurn = Turn<PartitionState, PartitionMessage, PartitionAction>;
type PartitionCommand = Command<PartitionMessage, PartitionAction>;

/** Decides; does nothing. */
export function stepPartition(
  limits: PartitionLimits,
  state: PartitionState,
  message: PartitionMessage,
): PartitionTurn {
  switch (message.kind) {
    case "read": {
      const isKnown = state.phase === "asking";
      return onRead(limits, isKnown ? { ...state, phase: "reading", note: undefined } : state, message.records);
    }
    case "asking":
      return [{ ...state, phase: "asking", note: message.note }, []];
    case "gap": {
      const { gap } = message;
      const note = noteOf(gap);
      const stopped: PartitionCommand = { kind: "act", action: { kind: "stopped", note, gap } };
      // Offsets that are not there yet are those of a topic that is created anew: whoever is assigned it looks again.
      return [{ ...state, phase: "stopped", note }, gap.asked < gap.earliest ? [stopped] : []];
    }
    case "unreadable": {
      const { note } = message;
      return [
        { ...state, phase: "stopped", note },
        [{ kind: "act", action: { kind: "stopped", note, gap: undefined } }],
      ];
    }
    case "rested":
      return state.phase === "pausing" ? [{ ...state, phase: "reading" }, [read(state.next)]] : [state, []];
    case "consumed": {
      const ahead = state.ahead - message.bytes;
      if (state.phase !== "full" || ahead >= limits.aheadBytesMax) return [{ ...state, ahead }, []];
      return [{ ...state, ahead, phase: "reading" }, [read(state.next)]];
    }
  }
}

function noteOf({ topic, partition, asked, earliest, latest }: OffsetGap): string {
  if (asked < earliest) return gapNote(topic, { partition, from: asked, to: earliest });
  return `Cannot read ${topic}/${partition}: offset ${asked} is asked for, the log ends at ${latest}. Restore log and warehouse from the same backup.`;
}

function onRead(limits: PartitionLimits, state: PartitionState, records: Records): PartitionTurn {
  if (records.count === 0) return [{ ...state, next: records.next }, [read(records.next)]];
  const bytes = records.bytes.length;
  const ahead = state.ahead + heldBytes(records);
  const next: PartitionState = { ...state, next: records.next, ahead, rows: state.rows + records.count };
  const offer: PartitionCommand = { kind: "act", action: { kind: "offer", records } };
  if (ahead >= limits.aheadBytesMax) return [{ ...next, phase: "full" }, [offer]];
  if (bytes * 2 >= limits.bytesMax || records.count * 2 >= limits.recordsMax)
    return [next, [offer, read(records.next)]];
  return [
    { ...next, phase: "pausing" },
    [offer, { kind: "after", timer: "rest", delayMs: limits.pauseMs, message: { kind: "rested" } }],
  ];
}

const read = (offset: number): PartitionCommand => ({ kind: "start", action: { kind: "read", offset } });

/** The actor of one partition; a failed read is its table's business. */
export function partitionActor(
  setup: PartitionSetup,
): Behaviour<PartitionState, PartitionMessage, PartitionAction, Log> {
  const { topic, partition, limits } = setup;
  return {
    kind: "partition",
    mailboxMax: 256,
    restart: ESCALATE,
    init: () =>
      Effect.succeed([
        { next: setup.offset, ahead: 0, phase: "reading", rows: 0, note: undefined },
        [read(setup.offset)],
      ]),
    step: (state, message) => stepPartition(limits(), state, message),
    vitals: (state) => ({ state: state.phase, rows: state.rows, note: state.note }),
    perform: (action, self) => {
      if (action.kind === "offer") return Effect.asVoid(setup.offer(action.records));
      if (action.kind === "stopped") return Effect.asVoid(setup.stopped(action));
      const { recordsMax, bytesMax, waitMs } = limits();
      return Effect.gen(function* () {
        const log = yield* Log;
        const message = yield* log.read({ topic, partition, offset: action.offset, recordsMax, bytesMax, waitMs }).pipe(
          Effect.retry({ while: (error) => error._tag === "LogFailed" && error.retriable, schedule: AWAY_RETRY }),
          Effect.map((records): PartitionMessage => ({ kind: "read", records })),
          Effect.retry(UNREADABLE_RETRY),
          Effect.catchTag("OffsetGap", (gap) => Effect.succeed<PartitionMessage>({ kind: "gap", gap })),
          Effect.catchIf(isUnreadable, ({ message: note }) =>
            Effect.succeed<PartitionMessage>({ kind: "unreadable", note }),
          ),
        );
        if (message.kind === "read") yield* setup.known(message.records, (note) => self.tell({ kind: "asking", note }));
        yield* self.tell(message);
      });
    },
  };
}
