/**
 * A link to one Worker: calls and answers, crashes and restarts.
 *
 *   opening ──opened──▶ up ──crashed──▶ down ──backoff──▶ opening
 *      └──failed the first time──▶ closed ◀──close── any
 *
 * When a Worker crashes every waiting call fails with a retriable LogFailed:
 * what it asked for may or may not have happened. While the link is not up,
 * calls fail at once. The process is kept alive by waiting calls only.
 *
 * @module
 */
import { LogFailed } from "../log.ts";
import type { Failure, OpenCall } from "./protocol.ts";

/** What every Worker's calls have in common. */
interface Calls {
  readonly open: { readonly ask: OpenCall; readonly answer: unknown };
  readonly close: { readonly ask: undefined; readonly answer: unknown };
}

type Ask<C, Name extends keyof C> = C[Name] extends { readonly ask: infer A } ? A : never;
type Answer<C, Name extends keyof C> = C[Name] extends { readonly answer: infer A } ? A : never;
type Done<A> = (failure: LogFailed | undefined, answer: A) => void;

/** What a link needs to start its Worker, and whom it tells. */
export interface LinkOptions<Opened> {
  readonly url: URL;
  readonly open: OpenCall;
  /** Called at every opening, the first and those after a crash. */
  readonly onOpened: (opened: Opened) => void;
  readonly onNotice?: (notice: unknown) => void;
}

const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 5_000;
const CLOSE_MS_MAX = 10_000;

export class Link<C extends Calls> {
  /** How often the Worker was replaced after a crash. */
  restarts = 0;
  #options: LinkOptions<Answer<C, "open">>;
  #worker: Worker | undefined;
  #state: "opening" | "up" | "down" | "closed" = "down";
  #waiting = new Map<number, Done<never>>();
  #nextId = 1;
  #failures = 0;

  constructor(options: LinkOptions<Answer<C, "open">>) {
    this.#options = options;
  }

  /** Starts the Worker; `done` hears of the first opening only. */
  start(done: (failure: LogFailed | undefined) => void): void {
    this.#spawn((failure) => {
      if (failure !== undefined) this.#end();
      done(failure);
    });
  }

  /** Asks the Worker; buffers in `transfer` are gone afterwards. `done` is called exactly once. */
  call<Name extends keyof C & string>(
    name: Name,
    ask: Ask<C, Name>,
    done: Done<Answer<C, Name>>,
    transfer: Bun.Transferable[] = [],
  ): void {
    if (this.#state === "up") this.#send(name, ask, done, transfer);
    else done(unavailable(this.#state === "closed" ? "it is closed" : "it is restarting"), undefined as never);
  }

  /** Lets the Worker finish what it was asked, then ends it; ends it anyway after 10 s. */
  close(done: () => void): void {
    if (this.#state !== "up") {
      this.#end();
      done();
      return;
    }
    const timer = setTimeout(() => this.#end(), CLOSE_MS_MAX);
    this.#send("close", undefined as Ask<C, "close">, () => {
      clearTimeout(timer);
      this.#end();
      done();
    });
    this.#state = "closed";
  }

  /** Ends the Worker as a crash would; for tests. */
  crash(): void {
    this.#crashed(this.#worker, "the worker was ended");
  }

  #send<Name extends keyof C & string>(
    name: Name,
    ask: Ask<C, Name>,
    done: Done<Answer<C, Name>>,
    transfer: Bun.Transferable[] = [],
  ): void {
    const id = this.#nextId++;
    if (this.#waiting.size === 0) this.#worker?.ref();
    this.#waiting.set(id, done as Done<never>);
    this.#worker?.postMessage([id, name, ask], transfer);
  }

  #spawn(done: (failure: LogFailed | undefined) => void): void {
    this.#state = "opening";
    const worker = new Worker(this.#options.url);
    worker.onmessage = (event: MessageEvent) => this.#heard(event.data);
    worker.onerror = (event: ErrorEvent) => this.#crashed(worker, event.message);
    worker.addEventListener("close", () => this.#crashed(worker, "the worker ended"));
    this.#worker = worker;
    this.#send("open", this.#options.open as Ask<C, "open">, (failure, opened) => {
      if (failure === undefined) {
        this.#state = "up";
        this.#failures = 0;
        this.#options.onOpened(opened);
      }
      done(failure);
    });
  }

  #heard([id, failure, answer]: [number, Failure | undefined, never]): void {
    if (id === 0) this.#options.onNotice?.(answer);
    const done = this.#waiting.get(id);
    if (done === undefined) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    done(failure === undefined ? undefined : new LogFailed(failure), answer);
  }

  #crashed(worker: Worker | undefined, why: string): void {
    if (worker === undefined || worker !== this.#worker) return;
    const wasOpening = this.#state === "opening";
    const ended = this.#state === "closed";
    this.#drop(ended ? "closed" : "down", `the log's worker crashed: ${why}`);
    // A first opening that crashes fails the start; a later one is retried by its own callback.
    if (!ended && !wasOpening) this.#restart();
  }

  #restart(): void {
    const delayMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures++);
    this.restarts += 1;
    setTimeout(() => {
      if (this.#state !== "down") return;
      this.#spawn((failure) => {
        if (failure === undefined || this.#state === "closed") return;
        this.#drop("down", failure.message);
        this.#restart();
      });
    }, delayMs).unref();
  }

  #end(): void {
    this.#drop("closed", "the log is closed");
  }

  /** Leaves the Worker and fails whoever waits for it. */
  #drop(state: "down" | "closed", why: string): void {
    this.#state = state;
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.terminate();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const done of waiting) done(unavailable(why), undefined as never);
  }
}

/** A LogFailed for what may work a little later. */
export function unavailable(why: string): LogFailed {
  return new LogFailed({
    reason: "unavailable",
    message: `Cannot use the log: ${why}. Try again in a moment.`,
    retriable: true,
  });
}
