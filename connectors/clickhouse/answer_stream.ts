/**
 * The bytes of a running query, watched for its failure.
 *
 *   rows ──▶ rows ──▶ … ──▶ complete          the stream closes
 *                      ├──▶ __exception__     the stream errors with ClickHouse's message
 *                      └──▶ cut               the stream errors
 *
 * ClickHouse (25.11 and newer) ends a failed answer with a block that starts
 * with a tag, random per answer and named in its head (`X-ClickHouse-Exception-Tag`).
 * Neither the block nor a part of it ever reaches the consumer.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { WarehouseFailed } from "../warehouse.ts";
import { failureOf, lostExchange } from "./errors.ts";

/** Of a failure's text, this much is kept. */
const TEXT_BYTES_MAX = 64 * 1024;
/**
 * Read ahead of the consumer. Bun's `node:http` drops what a paused answer holds when its connection ends in an error,
 * so pausing rarely keeps ClickHouse's message; a paused answer that was cut still errors, as lost.
 */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024;

/** Delivers `answer`; rows that came before a failure are delivered first. `onCancel` runs when the consumer stops early. */
export function answerStream(answer: IncomingMessage, onCancel: () => void): ReadableStream<Uint8Array> {
  const tag = answer.headers["x-clickhouse-exception-tag"];
  const guard = exceptionGuard(typeof tag === "string" ? tag : undefined);
  const queue: Uint8Array[] = [];
  let queuedBytes = 0;
  let end: "complete" | WarehouseFailed | undefined;
  let wake = () => {};
  const take = (bytes: Uint8Array) => {
    if (bytes.byteLength > 0) queue.push(bytes);
    queuedBytes += bytes.byteLength;
  };
  const finish = (cause?: unknown) => {
    if (end !== undefined) return;
    const failure = guard.failure() ?? (cause === undefined ? undefined : lostExchange(cause));
    if (failure === undefined) take(guard.rest());
    end = failure ?? "complete";
    wake();
  };
  // Events, not the iterator: that one drops what it has not read when the connection ends in an error.
  answer.on("data", (bytes: Buffer) => {
    take(guard.push(bytes));
    if (queuedBytes > QUEUED_BYTES_MAX) answer.pause();
    wake();
  });
  answer.on("end", () => finish(answer.complete ? undefined : cut()));
  answer.on("error", finish);
  answer.on("close", () => finish(cut()));
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    while (queue.length === 0 && end === undefined) await new Promise<void>((resolve) => (wake = resolve));
    const bytes = queue.shift();
    if (bytes !== undefined) {
      queuedBytes -= bytes.byteLength;
      controller.enqueue(bytes);
      if (queuedBytes <= QUEUED_BYTES_MAX / 2 && end === undefined) answer.resume();
    } else if (end === "complete") controller.close();
    else controller.error(end);
  };
  const cancel = () => {
    if (end === undefined) onCancel();
    end ??= "complete";
    queue.length = 0;
    wake();
    answer.destroy();
  };
  return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
}

function cut(): Error {
  return Object.assign(new Error("cut"), { code: "CUT" });
}

/** Separates rows from a failure's block. */
export interface ExceptionGuard {
  /** Takes what arrived, gives what may go on. */
  readonly push: (bytes: Uint8Array) => Uint8Array;
  /** What was held back and turned out to be rows; call it once, at the end. */
  readonly rest: () => Uint8Array;
  /** The failure, once its block has begun. */
  readonly failure: () => WarehouseFailed | undefined;
}

/** A guard for one answer; without a tag everything is rows. */
export function exceptionGuard(tag: string | undefined): ExceptionGuard {
  const marker = Buffer.from(`__exception__\r\n${tag}\r\n`);
  const block = Buffer.concat([Buffer.from("\r\n"), marker]);
  let held: Uint8Array = new Uint8Array();
  let failed: Buffer | undefined;
  const push = (bytes: Uint8Array): Uint8Array => {
    if (failed !== undefined) {
      if (failed.byteLength < TEXT_BYTES_MAX) failed = Buffer.concat([failed, bytes]);
      return new Uint8Array();
    }
    const all =
      held.byteLength > 0
        ? Buffer.concat([held, bytes])
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = all.indexOf(marker);
    if (at >= 0) {
      failed = all.subarray(at + marker.byteLength);
      held = new Uint8Array();
      // The line break before the block is the block's.
      return all.subarray(0, at >= 2 && all[at - 2] === 13 && all[at - 1] === 10 ? at - 2 : at);
    }
    const keep = overlap(all, { block, marker });
    held = all.subarray(all.byteLength - keep);
    return all.subarray(0, all.byteLength - keep);
  };
  const rest = () => {
    const bytes = held;
    held = new Uint8Array();
    return bytes;
  };
  const failure = () => failed && failureOf({ status: 200, codeHeader: undefined, text: failed.toString("utf8") });
  return tag === undefined
    ? { push: (bytes) => bytes, rest: () => new Uint8Array(), failure: () => undefined }
    : { push, rest, failure };
}

/** Length of the end of `bytes` that may be the beginning of the block (`block` begins with its line break). */
function overlap(bytes: Buffer, { block, marker }: { readonly block: Buffer; readonly marker: Buffer }): number {
  const tail = bytes.subarray(Math.max(0, bytes.byteLength - block.byteLength));
  for (let from = 0; from < tail.byteLength; from++) {
    const rest = tail.subarray(from);
    if (tail[from] === 13 && block.subarray(0, rest.byteLength).equals(rest)) return rest.byteLength;
    if (tail[from] === marker[0] && marker.subarray(0, rest.byteLength).equals(rest)) return rest.byteLength;
  }
  return 0;
}
