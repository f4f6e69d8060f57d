/**
 * A gap: what a table does about records that the log no longer has.
 *
 *   reading ──the log begins behind what comes next──▶ stopped, in that partition; the gap is noted
 *
 * Pure. What was read before the gap still lands, and the other partitions go
 * on. Nothing is skipped until somebody accepts it: `gap.ts`.
 *
 * @module
 */
import type { Turn } from "./runtime/actor.ts";
import type { TableAction, TableMessage, TableState } from "./table_state.ts";

/** Stops a partition whose next records are gone, or cannot be read: then there is nothing to be noted. */
export function stopAtGap(
  state: TableState,
  { partition, note, gap }: Extract<TableMessage, { kind: "gapped" }>,
): Turn<TableState, TableMessage, TableAction> {
  const at = state.owned.get(partition);
  if (at === undefined) return [state, []];
  const stopped = new Map(state.stopped).set(partition, note);
  if (gap === undefined) return [{ ...state, stopped, note }, []];
  const noted = { partition, epoch: at.epoch, from: gap.asked, to: gap.earliest, last: at.last };
  return [{ ...state, stopped }, [{ kind: "start", action: { kind: "note gap", gap: noted } }]];
}
