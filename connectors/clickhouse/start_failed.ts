/**
 * The one error of starting the embedded ClickHouse.
 *
 * @module
 */
import { Data } from "effect";

/** ClickHouse did not start, or fell too often. `message`: `Cannot start ClickHouse: <state>. <what to do>`. */
export class ClickHouseStartFailed extends Data.TaggedError("ClickHouseStartFailed")<{ readonly message: string }> {}
