/**
 * The quarantine's doings, as the rooms above see them.
 *
 * @module
 */
export { type Outcome, type Quarantine, type QuarantineAsk, quarantineOf, type RowOutcome } from "./quarantine.ts";
export { type QuarantineFilter, quarantineWhere, readActions } from "./rows.ts";
export { standingOf } from "./standing.ts";
