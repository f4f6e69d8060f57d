/**
 * Records that cannot be read, however often: damaged on a disk, or compressed as nobody can undo.
 *
 * @module
 */
import { LogFailed } from "@weir/connectors";
import { AWAY_RETRY } from "./away_retry.ts";

/** Whether the same records will fail again, and no others. */
export const isUnreadable = (error: unknown): error is LogFailed =>
  error instanceof LogFailed && (error.reason === "damaged" || error.reason === "invalid");

/** Some more tries: bytes may be damaged on their way, too. */
export const UNREADABLE_RETRY = { while: isUnreadable, times: 5, schedule: AWAY_RETRY } as const;
