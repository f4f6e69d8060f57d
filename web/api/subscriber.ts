/**
 * A subscriber: one client's stream of events, holding at most one that it has not taken.
 *
 *   open ──begin──▶ waiting ◀──taken── holding ──newer one──▶ holding (the older one is skipped)
 *      └──────────────┴── client leaves · end ──▶ ended
 *
 * @module
 */

/** A client that watches. `onEnd` is called once, however it ends. */
export class Subscriber {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #onEnd: () => void;
  #held: Uint8Array | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Resolves the stream's pull once there is something to give. */
  #wake: (() => void) | undefined;
  #isEnded = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        // Called only when the client has taken what went before.
        pull: () => (this.#flush() || this.#isEnded ? undefined : new Promise<void>((wake) => (this.#wake = wake))),
        cancel: () => this.end(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Sends the first event. */
  begin(event: Uint8Array): void {
    // A newer one that came meanwhile says more.
    this.#held ??= event;
    if (this.#wake !== undefined) this.#flush();
  }

  /** Sends an event, as soon as the client takes it; a newer one takes its place until then. */
  give(event: Uint8Array): void {
    if (this.#isEnded) return;
    this.#held = event;
    if (this.#wake !== undefined) this.#flush();
  }

  /** Sends an event only if the client waits for one. */
  offer(event: Uint8Array): void {
    if (this.#wake !== undefined) this.give(event);
  }

  /** Ends the stream: the client left, or nothing more will come. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#held = undefined;
    this.#onEnd();
    try {
      this.#controller?.close();
    } catch {
      // Cancelled by the client: it is closed already.
    }
    this.#wake?.();
    this.#wake = undefined;
  }

  #flush(): boolean {
    if (this.#held === undefined || this.#isEnded) return false;
    this.#controller?.enqueue(this.#held);
    this.#held = undefined;
    this.#wake?.();
    this.#wake = undefined;
    return true;
  }
}
