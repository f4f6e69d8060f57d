/**
 * Counters: what this process counts and how long things take, for Prometheus.
 *
 *   route ──add · observe──▶ Counters ──text──▶ /metrics
 *
 * Kept in memory, from zero at every start. A hot path binds its counter once
 * (`counter(…)`) and then adds to a number.
 *
 * @module
 */

/** Label names and values of one series; values never come from clients unchecked. */
export type Labels = Readonly<Record<string, string>>;

/** One counter, bound to its labels. */
export interface Counter {
  readonly add: (count: number) => void;
}

/** One histogram of seconds, bound to its labels. */
export interface Histogram {
  readonly observe: (seconds: number) => void;
}

/** A value read at the moment of asking, for example a queue's depth. */
export interface Sample {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Series at most; what comes later is added up in `weir_series_dropped_total`. */
export const SERIES_MAX = 10_000;

/** Upper bounds of the latency buckets, in seconds. */
export const BUCKETS_SECONDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

const HELP: Readonly<Record<string, string>> = {
  weir_events_accepted_total: "Events that are durable in the log.",
  weir_events_rejected_total: "Events refused at the door; kept in the quarantine.",
  weir_events_duplicate_total: "Events of repeated requests, known by their Idempotency-Key.",
  weir_api_answers_total: "Answers of APIs: kept (hit), computed (miss), shared by several, or never kept (none).",
  weir_http_requests_total: "Requests by route and status.",
  weir_http_request_seconds: "Time from a request to the head of its answer.",
  weir_series_dropped_total: "Sum over counters beyond the bound on their number.",
};

interface Count {
  readonly name: string;
  readonly labels: string;
  value: number;
}

interface Timing {
  readonly name: string;
  readonly labels: string;
  /** One per bucket and one for everything above. */
  readonly counts: Float64Array;
  sum: number;
}

/** Everything that one process counts. */
export class Counters {
  readonly #counts = new Map<string, Count>();
  readonly #timings = new Map<string, Timing>();
  /** Takes every addition that found no room. */
  readonly #dropped: Count = { name: "weir_series_dropped_total", labels: "", value: 0 };

  /** Adds to a counter; binds nothing. */
  add(name: string, labels: Labels, count: number): void {
    this.#count(name, labels).value += count;
  }

  /** Binds a counter for a hot path. */
  counter(name: string, labels: Labels): Counter {
    const found = this.#count(name, labels);
    return {
      add: (count) => {
        found.value += count;
      },
    };
  }

  /** Binds a histogram of seconds. */
  histogram(name: string, labels: Labels): Histogram {
    const text = labelText(labels);
    const known = this.#timings.get(name + text);
    const timing = known ?? { name, labels: text, counts: new Float64Array(BUCKETS_SECONDS.length + 1), sum: 0 };
    if (known === undefined && this.#hasRoom()) this.#timings.set(name + text, timing);
    return {
      observe: (seconds) => {
        let bucket = 0;
        while (bucket < BUCKETS_SECONDS.length && seconds > BUCKETS_SECONDS[bucket]!) bucket += 1;
        timing.counts[bucket]! += 1;
        timing.sum += seconds;
      },
    };
  }

  /** The value of a counter; 0 if nothing was ever added. */
  value(name: string, labels: Labels): number {
    return this.#counts.get(name + labelText(labels))?.value ?? 0;
  }

  /** Everything in Prometheus' text format 0.0.4, with samples taken elsewhere. */
  text(samples: readonly Sample[] = []): string {
    const families = new Map<string, string[]>();
    const family = (name: string, type: string, help = HELP[name] ?? name) => {
      const known = families.get(name);
      if (known !== undefined) return known;
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
      families.set(name, lines);
      return lines;
    };
    for (const { name, labels, value } of [...this.#counts.values(), this.#dropped]) {
      family(name, "counter").push(`${name}${braced(labels)} ${value}`);
    }
    for (const timing of this.#timings.values()) family(timing.name, "histogram").push(...timingLines(timing));
    for (const { name, type, help, labels, value } of samples) {
      family(name, type, help).push(`${name}${braced(labelText(labels))} ${value}`);
    }
    return `${[...families.values()].flat().join("\n")}\n`;
  }

  #count(name: string, labels: Labels): Count {
    const text = labelText(labels);
    const known = this.#counts.get(name + text);
    if (known !== undefined) return known;
    if (!this.#hasRoom()) return this.#dropped;
    const count = { name, labels: text, value: 0 };
    this.#counts.set(name + text, count);
    return count;
  }

  #hasRoom(): boolean {
    return this.#counts.size + this.#timings.size < SERIES_MAX;
  }
}

function timingLines({ name, labels, counts, sum }: Timing): string[] {
  const separator = labels === "" ? "" : ",";
  let total = 0;
  const buckets = [...BUCKETS_SECONDS, "+Inf"].map((bound, index) => {
    total += counts[index]!;
    return `${name}_bucket{${labels}${separator}le="${bound}"} ${total}`;
  });
  return [...buckets, `${name}_sum${braced(labels)} ${sum}`, `${name}_count${braced(labels)} ${total}`];
}

function labelText(labels: Labels): string {
  let text = "";
  for (const name in labels) text += `${text === "" ? "" : ","}${name}="${escapeLabel(labels[name]!)}"`;
  return text;
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n") : value;
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
