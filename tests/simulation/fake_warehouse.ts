/**
 * A fake warehouse: strict inserts, deduplication by token within a window of parts, a ledger.
 *
 *   insert ──some time──▶ deadline? · every row good? · token known? ──▶ rows, all or none
 *
 * It forgets tokens when the window has moved on, loses calls and answers,
 * goes away and comes back, and sometimes takes so long with a request that
 * its deadline has passed. It refuses rows that are `bad`, and rows that are
 * `odd`, which the judge in JavaScript believes to be good.
 *
 * @module
 */
import type { LastRecord, Ledger, LedgerPosition, Marker, Projection, Quarantined, Remembered } from "@weir/actors";
import { type Insert, type Warehouse, WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import { type Machine, Server, type World } from "./world.ts";

/** One stored row, as the audit sees it. */
export interface Row {
  readonly epoch: number;
  readonly partition: number;
  readonly offset: number;
  readonly id: string;
}

const lost = () => new WarehouseFailed({ outcome: "unknown", code: 0, message: "the connection was lost" });
const refusal = (code: number, message: string) =>
  Effect.fail(new WarehouseFailed({ outcome: "refused", code, message }));

/** What the simulated source's `conform()` is: statements as JSON, verdicts by a word in the record. */
export const PROJECTION: Projection = {
  settings: {},
  source: { unknown: "reject", format: { kind: "json" }, drift: "quarantine" },
  insert: (to) => JSON.stringify({ deadlineMs: to.deadlineMs, epoch: to.epoch }),
  probe: () => JSON.stringify({ probe: true }),
  companions: () => ({ partition: "_partition", offset: "_offset", time: "_time", op: "_op" }),
  scanner: { scan: () => false, keyStart: -1, keyEnd: -1 },
  judge: (text) =>
    text.includes('"bad"') || !text.startsWith("{")
      ? { ok: false, column: "kind", reason: "bad" }
      : { ok: true, key: undefined },
  decoder: undefined,
  normalise: (text) => text,
};

/** The target table and the ledger beside it. */
export class FakeWarehouse {
  readonly world: World;
  readonly server: Server;
  readonly rows: Row[] = [];
  readonly quarantine: (Quarantined & { epoch: number })[] = [];
  readonly markers = new Map<string, Marker>();
  /** Markers whose positions are kept. */
  readonly #positioned = new Map<string, Marker>();
  readonly #window: number;
  #tokens: string[] = [];
  #quarantineTokens = new Set<string>();
  readonly #seen: (Remembered & { epoch: number })[] = [];

  constructor(world: World, options: { windowParts: number; lossy: number }) {
    this.world = world;
    this.server = new Server(world, "warehouse", options.lossy);
    this.#window = options.windowParts;
  }

  /** The port as one machine sees it. */
  port(machine: Machine): Warehouse["Service"] {
    const none = Effect.fail(new WarehouseFailed({ outcome: "refused", code: 62, message: "not simulated" }));
    return {
      ready: () => Effect.succeed(true),
      command: () => none,
      rows: () => none,
      stream: () => none,
      stop: () => none,
      insert: (insert) =>
        Effect.suspend(() => {
          const lines = Buffer.concat([...insert.body])
            .toString()
            .split("\n")
            .filter((line) => line !== "");
          const slow = this.world.chance(0.02) ? this.world.below(280_000) : 0;
          return this.server.call(machine, {
            serve: () => this.#insert(insert, lines),
            lost,
            tookMs: 5 + this.world.below(60) + slow,
          });
        }),
    };
  }

  /** The ledger as one machine sees it. */
  ledger(machine: Machine): Ledger["Service"] {
    const call = <A>(serve: () => A) =>
      this.server.call<A, WarehouseFailed>(machine, {
        serve: () => Effect.sync(serve),
        lost,
        tookMs: 2 + this.world.below(10),
      });
    return {
      marker: (_, token) => call(() => this.markers.get(token)),
      positions: () => call(() => this.#positions()),
      partsSince: () => call(() => 0),
      // Two inserts, as the real one: whoever dies between them leaves positions without their marker.
      finish: (marker) =>
        Effect.andThen(
          call(() => void this.#positioned.set(marker.token, marker)),
          call(() => void this.markers.set(marker.token, marker)),
        ),
      seen: ({ epoch, ranges }, wanted) =>
        call(() => {
          const sinceMs = new Map(wanted.map((one) => [one.hash, one.sinceMs]));
          return this.#seen.filter(
            (row) =>
              row.epoch === epoch &&
              row.atMs > (sinceMs.get(row.hash) ?? Number.POSITIVE_INFINITY) &&
              ranges.some(({ partition, from }) => row.partition === partition && row.offset < from),
          );
        }),
      remember: ({ epoch }, rows) => call(() => void this.#seen.push(...rows.map((row) => ({ ...row, epoch })))),
      quarantine: (of, rows) =>
        call(() => {
          if (this.#quarantineTokens.has(of.token)) return;
          this.#quarantineTokens.add(of.token);
          this.quarantine.push(...rows.map((row) => ({ ...row, epoch: of.epoch })));
        }),
    };
  }

  #insert(
    { statement, settings }: Insert,
    lines: readonly string[],
  ): Effect.Effect<{ rowsWritten: number }, WarehouseFailed> {
    if (this.world.chance(0.03))
      return Effect.fail(new WarehouseFailed({ outcome: "not done", code: 241, message: "memory limit" }));
    const { probe, deadlineMs, epoch } = JSON.parse(statement) as {
      probe?: boolean;
      deadlineMs: number;
      epoch: number;
    };
    if (lines.some((line) => line.includes('"bad"') || line.includes('"odd"'))) return refusal(27, "cannot parse");
    if (probe) return Effect.succeed({ rowsWritten: 0 });
    if (this.world.nowMs > deadlineMs) return refusal(395, "too late");
    const token = String(settings.insert_deduplication_token);
    if (this.#tokens.includes(token)) return Effect.succeed({ rowsWritten: 0 });
    this.#tokens.push(token);
    this.#tokens = this.#window === 0 ? [] : this.#tokens.slice(-this.#window);
    for (const line of lines) {
      const { _partition, _offset, id } = JSON.parse(line) as { _partition: number; _offset: number; id: string };
      this.rows.push({ epoch, partition: _partition, offset: _offset, id });
    }
    return Effect.succeed({ rowsWritten: lines.length });
  }

  #positions(): LedgerPosition[] {
    const furthest = new Map<number, LedgerPosition>();
    for (const { epoch, ranges, lasts } of this.#positioned.values()) {
      for (const [index, { partition, to }] of ranges.entries()) {
        const at = furthest.get(partition);
        const isFurther = at === undefined || epoch > at.epoch || (epoch === at.epoch && to > at.next);
        if (isFurther) furthest.set(partition, { partition, epoch, next: to, last: lasts[index] as LastRecord });
      }
    }
    return [...furthest.values()];
  }
}
