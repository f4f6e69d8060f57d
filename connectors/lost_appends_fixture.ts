/**
 * Answers to appends that are lost on purpose: the request has arrived, and nobody hears of it.
 *
 *   client ──append──▶ proxy ──▶ broker          broker ──answer──▶ proxy ──▶ client, or its connection is ended
 *
 * Of the protocol it knows frames (a length of 4 bytes) and a request's kind (the 2 bytes behind it).
 *
 * @module
 */
import type { Tap } from "./tcp_proxy_fixture.ts";

const PRODUCE = 0;
const LENGTH_BYTES = 4;

/** Loses the answers to appends of which `isLost` says so; it is asked once for each piece of them. */
export function lostAppends(isLost: () => boolean): Tap {
  const kinds = new Kinds();
  return { asked: (bytes) => kinds.pass(bytes), isLost: () => kinds.last === PRODUCE && isLost() };
}

/** Follows the requests of one connection: the kind of the last one that began. */
class Kinds {
  last = -1;
  /** Bytes of the request under way that are still to come. */
  #left = 0;
  #begun = Buffer.alloc(0);

  pass(bytes: Uint8Array): void {
    for (let rest = Buffer.concat([this.#begun, bytes]); ; ) {
      this.#begun = Buffer.alloc(0);
      const skipped = Math.min(this.#left, rest.length);
      this.#left -= skipped;
      rest = rest.subarray(skipped);
      if (rest.length < LENGTH_BYTES + 2) {
        this.#begun = rest;
        return;
      }
      this.#left = LENGTH_BYTES + rest.readInt32BE(0);
      this.last = rest.readInt16BE(LENGTH_BYTES);
    }
  }
}
