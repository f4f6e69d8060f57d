/**
 * A row of the quarantine judged anew: what its source says of its bytes now.
 *
 *   head · bytes · standing ──source in force──▶ good: topic, partition, key     or its outcome
 *
 * Pure. What only the door's answer or a cut text is left of is never guessed.
 *
 * @module
 */
import { partitionOf, RecordWriter, type Write } from "@weir/connectors";
import { jsonDecoder, type SchemaOf } from "@weir/sql";
import type { RunningSource } from "../owners.ts";
import type { RowOutcome } from "./quarantine.ts";
import type { QuarantineHead } from "./rows.ts";
import { REPLAY_HEADER } from "./search.ts";
import type { Standing } from "./standing.ts";

/** A row, what it stands for, and the source that is in force now. */
export interface JudgedRow {
  readonly head: QuarantineHead;
  readonly standing: Standing;
  readonly source: Pick<RunningSource, "applied" | "conform" | "partitions"> | undefined;
  /** The kept bytes. */
  readonly raw: Uint8Array;
  /** What the ids of a schema registry mean now, if its source asks one. */
  readonly schemaOf: SchemaOf | undefined;
  readonly nowMs: number;
}

interface Row {
  readonly head: QuarantineHead;
  readonly standing: Standing;
  readonly topic: string;
}

/** A row that its source takes now, and where its record goes. */
export interface Good extends Row {
  readonly kind: "good";
  readonly raw: Uint8Array;
  readonly partition: number;
  readonly key: Uint8Array | null;
}

/** A row whose outcome is known already. */
export interface Known extends Row {
  readonly kind: "outcome";
  readonly outcome: RowOutcome;
}

const ENCODER = new TextEncoder();

/** Judges one row. */
export function judged({ head, standing, source, raw, schemaOf, nowMs }: JudgedRow): Good | Known {
  const { id } = head;
  const row = { head, standing, topic: source?.applied.source.topic ?? "" };
  const known = (outcome: Omit<RowOutcome, "id">): Known => ({ ...row, kind: "outcome", outcome: { id, ...outcome } });
  if (standing.kind === "replayed") return known({ outcome: "already replayed", place: standing.place });
  if (standing.kind === "dropped") return known({ outcome: "already dropped" });
  if (source === undefined) return known({ outcome: "no source", reason: `'${head.source}' is not in force` });
  if (head.raw_bytes > raw.length) {
    const reason = `only the first ${raw.length} of its ${head.raw_bytes} bytes were kept; its sender has to send it again`;
    return known({ outcome: "cut", reason });
  }
  const decoded = (source.conform.decoder ?? jsonDecoder)(raw, schemaOf);
  if (decoded.kind !== "row") {
    const column = decoded.kind === "refused" && decoded.column !== "" ? decoded.column : undefined;
    return known({ outcome: "still bad", column, reason: decoded.reason });
  }
  const { text } = decoded;
  const verdict = source.conform.judge(text, nowMs);
  if (!verdict.ok) return known({ outcome: "still bad", column: verdict.column, reason: verdict.reason });
  const key = verdict.key === undefined ? null : ENCODER.encode(verdict.key);
  // Without a key any partition will do, but the same one at every try.
  const placed = key ?? ENCODER.encode(id);
  const partition = partitionOf(placed, { start: 0, end: placed.length, partitions: source.partitions });
  return { ...row, kind: "good", raw, partition, key };
}

/** The record of a good row. */
export function writeOf({ head, topic, partition, key, raw }: Good, timestampMs: number): Write {
  const records = new RecordWriter(raw.length + 128);
  records.add({ key, value: raw, timestampMs, headers: { [REPLAY_HEADER]: head.id } });
  return { topic, partition, records };
}
