/**
 * Why a start on an external ClickHouse ends.
 *
 * @module
 */
import { Data } from "effect";

/** The server cannot be used; the message says why and what to do. */
export class ClickHouseUnfit extends Data.TaggedError("ClickHouseUnfit")<{ readonly message: string }> {}
