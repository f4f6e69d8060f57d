/**
 * The reading Worker: packed records out of the log's file, beside the writer.
 *
 *   read(key, offset, bounds) ──▶ blobs from the file ──cut to the bounds──▶ one buffer and its runs
 *
 * It has a connection of its own, so a read does not wait for an fsync. Each blob
 * must begin where the one before it ended: what retention took away meanwhile
 * ends the read, or shows as a gap. Only the first and the last blob are walked record by record.
 *
 * @module
 */
import type { Database, Statement } from "bun:sqlite";
import { type PackedRun, walkPacked } from "../records.ts";
import { failureOf, openForReading } from "./file.ts";
import type { OpenCall, ReadAnswer, ReaderCalls } from "./protocol.ts";

declare const self: Worker;

type ReadCall = ReaderCalls["read"]["ask"];

interface BlobRow {
  readonly base: number;
  readonly count: number;
  readonly packed: Uint8Array;
}

/** A stretch of one blob on its way into the answer. */
interface Part {
  readonly firstOffset: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Blobs asked for at once; a blob is seldom above 1 MiB. */
const BLOBS_MAX = 32;

let db: Database;
let blobAround: Statement<BlobRow, [number, number]>;
let blobsFrom: Statement<BlobRow, [number, number, number]>;
let range: Statement<{ earliest: number; latest: number }, [number]>;

self.onmessage = ({ data: [id, name, ask] }: MessageEvent<[number, keyof ReaderCalls, never]>) => {
  try {
    const answer = perform(name, ask);
    self.postMessage([id, undefined, answer], answer?.kind === "records" ? [answer.bytes.buffer as ArrayBuffer] : []);
  } catch (error) {
    self.postMessage([id, failureOf(error, "read the log"), undefined]);
  }
};

function perform(name: keyof ReaderCalls, ask: never): ReadAnswer | undefined {
  switch (name) {
    case "open":
      open(ask);
      return undefined;
    case "read":
      return read(ask);
    case "close":
      db.close(true);
      return undefined;
  }
}

function open(call: OpenCall): void {
  db = openForReading(call);
  const columns = "SELECT base, count, packed FROM blob WHERE partition_key = ?";
  blobAround = db.prepare(`${columns} AND base <= ? ORDER BY base DESC LIMIT 1`);
  blobsFrom = db.prepare(`${columns} AND base >= ? ORDER BY base LIMIT ?`);
  range = db.prepare("SELECT earliest, latest FROM partition WHERE key = ?");
}

function read({ key, offset, recordsMax, bytesMax }: ReadCall): ReadAnswer {
  const parts: Part[] = [];
  let blobs: readonly BlobRow[] = blobAround.all(key, offset);
  let at = 0;
  let next = offset;
  let recordsLeft = Math.max(1, recordsMax);
  let bytesLeft = bytesMax;
  while (at < blobs.length && blobs[at].base <= next && next < blobs[at].base + blobs[at].count) {
    const blob = blobs[at++];
    const part = cut(blob, next, { recordsLeft, bytesLeft, first: parts.length === 0 });
    if (part.count === 0) break;
    parts.push(part);
    next += part.count;
    recordsLeft -= part.count;
    bytesLeft -= part.bytes.length;
    if (recordsLeft <= 0 || bytesLeft <= 0 || next < blob.base + blob.count) break;
    if (at === blobs.length) {
      blobs = blobsFrom.all(key, next, likelyBlobs(blob, { recordsLeft, bytesLeft }));
      at = 0;
    }
  }
  if (parts.length === 0) return { kind: "gap", ...(range.get(key) ?? { earliest: 0, latest: 0 }) };
  return { kind: "records", next, ...join(parts) };
}

/** How many blobs to ask for at once: as many as fit if they are like the last one. */
function likelyBlobs(last: BlobRow, left: { recordsLeft: number; bytesLeft: number }): number {
  const byBytes = left.bytesLeft / last.packed.length;
  const byRecords = left.recordsLeft / last.count;
  return Math.max(1, Math.min(BLOBS_MAX, Math.ceil(Math.min(byBytes, byRecords))));
}

/** The records of a blob from `offset` on which fit; with `first` at least one. */
function cut(
  { base, count, packed }: BlobRow,
  offset: number,
  at: { recordsLeft: number; bytesLeft: number; first: boolean },
): Part {
  const skipped = offset - base;
  const start = skipped === 0 ? 0 : walkPacked(packed, 0, { recordsMax: skipped, bytesMax: packed.length }).end;
  const left = count - skipped;
  if (left <= at.recordsLeft && packed.length - start <= at.bytesLeft) {
    return { firstOffset: offset, count: left, bytes: start === 0 ? packed : packed.subarray(start) };
  }
  const bounds = { recordsMax: Math.min(left, at.recordsLeft), bytesMax: at.bytesLeft };
  let walked = walkPacked(packed, start, bounds);
  if (walked.count === 0 && at.first) walked = walkPacked(packed, start, { recordsMax: 1, bytesMax: packed.length });
  return { firstOffset: offset, count: walked.count, bytes: packed.subarray(start, walked.end) };
}

/**
 * Puts the parts into one buffer of their own, so that it can be transferred. Offsets follow each other from blob to
 * blob, so the parts are one run: an object for each blob would cost more than reading it.
 */
function join(parts: readonly Part[]): { bytes: Uint8Array; runs: readonly PackedRun[] } {
  let length = 0;
  let count = 0;
  for (const part of parts) {
    length += part.bytes.length;
    count += part.count;
  }
  const only = parts.length === 1 && length === parts[0].bytes.buffer.byteLength;
  const bytes = only ? parts[0].bytes : new Uint8Array(length);
  let start = 0;
  for (const part of parts) {
    if (!only) bytes.set(part.bytes, start);
    start += part.bytes.length;
  }
  return { bytes, runs: [{ firstOffset: parts[0].firstOffset, count, start: 0, end: length }] };
}
