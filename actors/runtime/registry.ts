/**
 * The registry: what every actor says about itself, in one place.
 *
 *   actor ──report──▶ Registry ──▶ /v1/admin/actors · /metrics
 *
 * Reports are pulled: an entry holds a function, so that ten thousand idle
 * actors cost nothing until somebody looks.
 *
 * @module
 */

/** What an actor says about itself beside what the runtime knows. */
export interface Vitals {
  /** The state's name, as drawn at the top of the actor's file. */
  readonly state: string;
  /** Rows finished by this actor since it was started. */
  readonly rows?: number;
  /** Records known to wait for this actor. */
  readonly lag?: number;
  /** What an operator should know or do, for example why it stopped. */
  readonly note?: string;
}

/** One actor's line in the registry. */
export interface Report extends Vitals {
  readonly address: string;
  readonly kind: string;
  readonly mailbox: number;
  readonly mailboxMax: number;
  readonly restarts: number;
  readonly lastError: string | undefined;
}

/** All actors of one process. */
export class Registry {
  readonly #actors = new Map<string, () => Report>();

  /** Adds or replaces an actor's line. */
  set(address: string, report: () => Report): void {
    this.#actors.set(address, report);
  }

  /** Removes an actor's line if it is still the given one. */
  delete(address: string, report: () => Report): void {
    if (this.#actors.get(address) === report) this.#actors.delete(address);
  }

  /** Every actor's report, ordered by address. */
  reports(): readonly Report[] {
    return [...this.#actors.values()].map((report) => report()).sort((a, b) => (a.address < b.address ? -1 : 1));
  }
}
