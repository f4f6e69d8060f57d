/**
 * A fake warehouse: strict inserts, deduplication by token within a window of parts, a ledger.
 *
 *   insert ──some time──▶ deadline? · every row good? · token known? ──▶ rows, all or none
 *
 * It forgets tokens when the window has moved on, loses calls and answers,
 * goes away and comes back, and sometimes takes so long with a request that
 * its deadline has passed; or the sender stands still with half of it sent. It
 * refuses rows that are `bad`, rows that are `odd`, which the judge in
 * JavaScript believes to be good, and everything while one of its views fails.
 * Of two servers each has its partitions, and the first one the ledger.
 * A change of what is behind the table stands between the rows before it and
 * those after it: no insert from before may come later.
 *
 * @module
 */
import {
  LandingDelayed,
  type LastRecord,
  type Ledger,
  type LedgerPosition,
  type Marker,
  type Projection,
  type Quarantined,
  type Remembered,
} from "@weir/actors";
import { type Insert, type Warehouse, WarehouseFailed } from "@weir/connectors";
import { Duration, Effect } from "effect";
import { type Machine, Server, type World } from "./world.ts";

/** One stored row, as the audit sees it. */
export interface Row {
  readonly epoch: number;
  readonly partition: number;
  readonly offset: number;
  readonly id: string;
}

/** One of its servers: what it remembers, the others do not know. */
interface Shard {
  readonly server: Server;
  tokens: readonly string[];
}

/** A request may be under way for much longer than every insert's deadline. */
const SLOW_MS_MAX = 24_000;
/** Late, and often within the deadline still: when its owner may be lost, and its partitions somebody else's. */
const LATE_MS_MAX = 4_000;
/** Nobody waits longer for an answer. */
const ANSWER_MS_MAX = 5_000;

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
      : { ok: true, key: /"key":"(\w+)"/.exec(text)?.[1] },
  decoder: undefined,
  normalise: (text) => text,
};

/** The target table and the ledger beside it. */
export class FakeWarehouse {
  readonly world: World;
  readonly shards: readonly Shard[];
  readonly rows: Row[] = [];
  readonly quarantine: (Quarantined & { epoch: number })[] = [];
  readonly markers = new Map<string, Marker>();
  /** What was seen that must never be seen. */
  readonly problems: string[] = [];
  /** Ids of the records that had been committed at the last change. */
  #before: ReadonlySet<string> = new Set();
  /** A view behind the table fails for every row, until it is suspended. */
  isViewBroken = false;
  /** Hears of a machine whose insert is half sent, now and then: the moment to pause it. */
  halfSent: (machine: Machine) => void = () => {};
  /** Hears of a machine whose rows are stored, which it does not know yet, now and then: the moment to kill it. */
  justStored: (machine: Machine) => void = () => {};
  /** Where epochs begin. */
  readonly #entered: LedgerPosition[] = [];
  /** Markers whose positions are kept. */
  readonly #positioned = new Map<string, Marker>();
  readonly #window: number;
  readonly #landed: { readonly ms: number; readonly partition: number }[] = [];
  #quarantineTokens = new Set<string>();
  readonly #seen: (Remembered & { epoch: number })[] = [];

  constructor(world: World, options: { windowParts: number; lossy: number; shards: number }) {
    this.world = world;
    this.shards = Array.from({ length: options.shards }, (_, shard) => ({
      server: new Server(world, `shard ${shard}`, options.lossy),
      tokens: [],
    }));
    this.#window = options.windowParts;
  }

  /** The server with the ledger. */
  get server(): Server {
    return this.shards[0]!.server;
  }

  /** The port as one machine sees it. */
  port(machine: Machine): Warehouse["Service"] {
    const servers = this.shards.map((_, shard) => this.#portOf(machine, shard));
    return servers.length === 1 ? servers[0]! : { ...servers[0]!, cluster: { name: "simulated", shards: servers } };
  }

  #portOf(machine: Machine, shard: number): Warehouse["Service"] {
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
          const slowMsMax = this.world.chance(0.5) ? SLOW_MS_MAX : LATE_MS_MAX;
          const slow = this.world.chance(0.03) ? this.world.below(slowMsMax) : 0;
          const call = this.shards[shard]!.server.call(machine, {
            serve: () => {
              const answer = this.#insert(insert, { lines, shard });
              if (this.world.chance(0.02)) this.justStored(machine);
              return answer;
            },
            lost,
            tookMs: 5 + this.world.below(60) + slow,
          });
          const answer = this.#inTime(machine, call);
          if (!this.world.chance(0.01)) return answer;
          this.halfSent(machine);
          return Effect.andThen(machine.sleep(Duration.millis(1)), answer);
        }),
    };
  }

  /** The answer, unless it takes so long that the caller gives up; the request goes on. */
  #inTime<A>(machine: Machine, call: Effect.Effect<A, WarehouseFailed>): Effect.Effect<A, WarehouseFailed> {
    return Effect.raceFirst(
      call,
      Effect.andThen(
        machine.sleep(Duration.millis(ANSWER_MS_MAX)),
        Effect.suspend(() => Effect.fail(lost())),
      ),
    );
  }

  /** Takes the view that fails out of the cascade. */
  suspend(machine: Machine): Effect.Effect<void, LandingDelayed> {
    const serve = () => {
      this.isViewBroken = false;
      return Effect.void;
    };
    const late = () => new LandingDelayed({ message: "the connection was lost" });
    return this.server.call<void, LandingDelayed>(machine, { serve, lost: late, tookMs: 2 + this.world.below(10) });
  }

  /** Changes what is behind the table, unless it is later than `untilMs`; `look` answers the ids of what was committed. */
  change(
    machine: Machine,
    { untilMs, look }: { readonly untilMs: number; readonly look: () => ReadonlySet<string> },
  ): Effect.Effect<void, WarehouseFailed> {
    const serve = () => {
      if (this.world.nowMs > untilMs) return refusal(395, "the hold is over");
      this.#before = look();
      return Effect.void;
    };
    return this.server.call<void, WarehouseFailed>(machine, { serve, lost, tookMs: 5 + this.world.below(60) });
  }

  /** The ledger as one machine sees it. */
  ledger(machine: Machine): Ledger["Service"] {
    const call = <A>(serve: () => A) =>
      this.server.call<A, WarehouseFailed>(machine, {
        serve: () => Effect.succeed(serve()),
        lost,
        tookMs: 2 + this.world.below(10),
      });
    return {
      marker: (_, token) => call(() => this.markers.get(token)),
      positions: () => call(() => this.positions()),
      nowMs: call(() => this.world.nowMs),
      partsSince: (_, since) => call(() => this.batchesSince(since)),
      noteGap: () => call(() => undefined),
      enter: (_, positions) => call(() => void this.#entered.push(...positions)),
      // Two inserts, as the real one: whoever dies between them leaves positions without their marker.
      finish: (marker) =>
        Effect.andThen(
          call(() => void this.#positioned.set(marker.token, marker)),
          call(() => {
            const [{ partition }] = marker.ranges as [Marker["ranges"][number]];
            if (!this.markers.has(marker.token)) this.#landed.push({ ms: this.world.nowMs, partition });
            this.markers.set(marker.token, marker);
          }),
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
    { lines, shard }: { readonly lines: readonly string[]; readonly shard: number },
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
    this.#checkChange(lines);
    const token = String(settings.insert_deduplication_token);
    const keep = () => this.#keep({ token, epoch, shard }, lines);
    if (this.isViewBroken) {
      // Table and views are not one transaction: the table may have the rows by now.
      if (this.world.chance(0.5)) keep();
      return Effect.fail(
        new WarehouseFailed({ outcome: "refused", code: 153, message: "no such column", view: "fill" }),
      );
    }
    keep();
    return Effect.succeed({ rowsWritten: lines.length });
  }

  /** A view that the change has made knows no tokens, so even a repeated insert would reach it. */
  #checkChange(lines: readonly string[]): void {
    if (this.#before.size === 0) return;
    for (const line of lines) {
      const { id } = JSON.parse(line) as { id: string };
      if (this.#before.has(id)) this.problems.push(`${id}: was committed before a change and is inserted after it`);
    }
  }

  /** Stores the rows on a server unless it remembers their token. */
  #keep(
    of: { readonly token: string; readonly epoch: number; readonly shard: number },
    lines: readonly string[],
  ): void {
    const { token, epoch, shard } = of;
    const at = this.shards[shard]!;
    if (at.tokens.includes(token)) return;
    at.tokens = this.#window === 0 ? [] : [...at.tokens, token].slice(-this.#window);
    for (const line of lines) {
      const { _partition, _offset, id } = JSON.parse(line) as { _partition: number; _offset: number; id: string };
      if (_partition % this.shards.length !== shard)
        this.problems.push(`${id}: of partition ${_partition} is on shard ${shard}`);
      this.rows.push({ epoch, partition: _partition, offset: _offset, id });
    }
  }

  /** Batches that were finished since then; each is one part here. */
  batchesSince({ sinceMs, partition }: { readonly sinceMs: number; readonly partition: number }): number {
    const shards = this.shards.length;
    return this.#landed.filter((one) => one.ms >= sinceMs && one.partition % shards === partition % shards).length;
  }

  /** The furthest position of each partition. */
  positions(): LedgerPosition[] {
    const furthest = new Map<number, LedgerPosition>();
    const add = (position: LedgerPosition) => {
      const { partition, epoch, next, topic = 0 } = position;
      const at = furthest.get(partition);
      const isFurther = next > (at?.next ?? -1) || (next === at?.next && topic > (at.topic ?? 0));
      if (at === undefined || epoch > at.epoch || (epoch === at.epoch && isFurther)) furthest.set(partition, position);
    };
    for (const position of this.#entered) add(position);
    for (const { epoch, ranges, lasts } of this.#positioned.values()) {
      for (const [index, { partition, to }] of ranges.entries())
        add({ partition, epoch, next: to, last: lasts[index] as LastRecord });
    }
    return [...furthest.values()];
  }
}
