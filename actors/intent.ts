/**
 * The intent: what an owner writes beside its positions before it inserts.
 *
 *   vector of ranges ──▶ intent (commit metadata) ──▶ insert with token ──▶ commit that moves the positions
 *
 * The intent pins the cut: whoever finds it open reads exactly these records
 * again and inserts them under exactly this token, so that the warehouse
 * recognises the batch. It must fit Kafka's 4,096 bytes of commit metadata
 * with 64 ranges, hence the short keys.
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** Records [from, to) of one partition; `rows` of them, with a checksum over their bytes as the log keeps them. */
export interface Range {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly crc: number;
}

/** One batch as announced: everything that makes its token, and what proves that a second reading found the same records. */
export interface Intent {
  readonly epoch: number;
  /** Version of the catalog whose definition the batch is written with. */
  readonly catalog: number;
  /** When it was announced, milliseconds since 1970, by the warehouse's clock. */
  readonly atMs: number;
  /** When it was announced first, if that was not the last time; what landed since then may have pushed its token out. */
  readonly firstMs?: number | undefined;
  readonly ranges: readonly Range[];
}

/** The last record that a committed position stands behind; shows whether the topic is still the same one. */
export interface LastRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly crc: number;
}

/** What a commit of this protocol carries in its metadata. */
export interface Mark {
  /** Which topic of its name it was committed for, see `topicHash`; undefined where nobody knew. */
  readonly topic?: number | undefined;
  readonly epoch: number;
  readonly last: LastRecord | undefined;
  readonly intent: Intent | undefined;
  /** Until when an insert of an owner that was lost may still come; undefined if none can. */
  readonly lateUntilMs?: number | undefined;
}

/** Ranges in one vector at most; one block stays one block, and 64 fit into a commit's metadata. */
export const RANGES_MAX = 64;

/**
 * The insert's token: the same batch has the same token on every try, and no other batch ever has it. The checksum tells
 * apart batches of two topics of one name, where nothing but the deleted topic knew that its epoch had begun.
 */
export function tokenOf(statement: string, { epoch, catalog, ranges }: Intent): string {
  const vector = ranges.map((range) => `${range.partition}[${range.from},${range.to})`).join("");
  const checksum = crc32(ranges.map((range) => range.crc).join()).toString(16);
  return `${statement}:${catalog}:${epoch}:${vector}:${checksum}`;
}

/** True if both announce the same cut: everything but the time. */
export function sameCut(one: Intent, other: Intent): boolean {
  return (
    encodeMark({ epoch: 0, last: undefined, intent: { ...one, atMs: 0, firstMs: 0 } }) ===
    encodeMark({ epoch: 0, last: undefined, intent: { ...other, atMs: 0, firstMs: 0 } })
  );
}

/** The time since when the warehouse may know of a batch. */
export function announcedMs({ atMs, firstMs }: Intent): number {
  return firstMs ?? atMs;
}

/** Writes a mark as commit metadata. */
export function encodeMark(mark: Mark): string {
  const { last, intent } = mark;
  return JSON.stringify({
    v: 1,
    t: mark.topic,
    e: mark.epoch,
    l: last && [last.offset, last.timestampMs, last.crc],
    i: intent && [
      intent.epoch,
      intent.catalog,
      intent.atMs,
      intent.ranges.map((r) => [r.partition, r.from, r.to, r.rows, r.crc]),
    ],
    f: intent?.firstMs,
    h: mark.lateUntilMs,
  });
}

/** Reads commit metadata back; undefined if it is empty or was not written by this protocol. */
export function decodeMark(metadata: string): Mark | undefined {
  if (!metadata.startsWith('{"v":1,')) return undefined;
  const { t, e, l, i, f, h } = JSON.parse(metadata) as {
    t?: number;
    e: number;
    l?: [number, number, number];
    i?: [number, number, number, [number, number, number, number, number][]];
    f?: number;
    h?: number;
  };
  return {
    topic: t,
    epoch: e,
    last: l && { offset: l[0], timestampMs: l[1], crc: l[2] },
    intent: i && {
      epoch: i[0],
      catalog: i[1],
      atMs: i[2],
      firstMs: f,
      ranges: i[3].map(([partition, from, to, rows, crc]) => ({ partition, from, to, rows, crc })),
    },
    lateUntilMs: h,
  };
}
