/**
 * Where a source's batches land.
 *
 * @module
 */
import type { Conform, Dedupe, Source } from "@weir/sql";
import type { SourceSchemas } from "./schemas.ts";

/** The strict projection of a source, as an insert needs it; `conform()` makes it. */
export type Projection = Pick<
  Conform,
  "settings" | "insert" | "probe" | "decoder" | "companions" | "scanner" | "judge" | "normalise"
> & {
  readonly source: Pick<Source, "unknown" | "format" | "drift">;
};

/** Where a source's batches land, under one version of its definition. */
export interface Target {
  readonly statement: string;
  readonly topic: string;
  /** Physical table, for example `weir_state.ods__flight__v1`. */
  readonly table: string;
  readonly catalog: number;
  readonly projection: Projection;
  /** Where a registry says what the schemas of its records are. */
  readonly schemas?: SourceSchemas | undefined;
  /** How repeats are known; without it they are stored. */
  readonly dedupe?: Dedupe | undefined;
  /** How long the log may hand out a record; undefined: without a bound. */
  readonly logAgeMsMax?: number | undefined;
}
