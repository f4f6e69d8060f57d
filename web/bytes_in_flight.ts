/**
 * Bytes in flight: what the bodies of all requests of a process take at once, bounded.
 *
 *   request ──open──▶ held ──take(bytes)──▶ counted ──giveBack──▶ free for others
 *                              └─over the bound──▶ 503, come again
 *
 * Bytes are taken as they arrive and as they unfold, not as a sender announces
 * them: a slow request keeps nothing from others that it has not sent, and a
 * small one that unfolds to much is stopped where the bound is.
 *
 * @module
 */
import { Refusal } from "./errors.ts";

/** What one request has taken. */
export interface HeldBytes {
  /** Takes bytes for the request; throws a Refusal when too many are held by all requests together. */
  readonly take: (bytes: number) => void;
  /** Gives back all that the request has taken. */
  readonly giveBack: () => void;
}

/** A count of bytes that all requests share; `bytesMax` bounds it. */
export class BytesInFlight {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor({ bytesMax }: { readonly bytesMax: number }) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that requests hold now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins one request, which holds nothing yet. */
  open(): HeldBytes {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#bytes + bytes > this.#bytesMax) {
          const message = "Cannot take the body: the door holds as much of other requests as it may.";
          throw new Refusal(503, "busy", message, "Nothing was stored. Send the same request again later.");
        }
        this.#bytes += bytes;
        held += bytes;
      },
      giveBack: () => {
        this.#bytes -= held;
        held = 0;
      },
    };
  }
}
