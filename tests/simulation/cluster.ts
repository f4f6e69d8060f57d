/**
 * The machines of a simulated run: they boot, land one topic into one table, and suffer.
 *
 *   boot ──▶ running ──kill · pause · leave · lost topic · lost commits · outage──▶ … ──heal──▶ running
 *
 * What runs on them is the table actor that ships. Each boot draws the version
 * of the catalog that it works with, as in the middle of a change.
 *
 * @module
 */
import {
  decodeMark,
  Ledger,
  type Position,
  Registry,
  spawn,
  type TableLimits,
  type TableMessage,
  type TableState,
  type Target,
  tableActor,
  Visible,
} from "@weir/actors";
import { Log, Warehouse } from "@weir/connectors";
import { Deferred, Effect, Logger } from "effect";
import type { FakeLog } from "./fake_log.ts";
import { type FakeWarehouse, PROJECTION } from "./fake_warehouse.ts";
import { Machine, type World } from "./world.ts";

/** Two that are always wanted, and one that comes and goes. */
const NODES = 3;
const STEADY_NODES = 2;
/** Deadlines are fifteen times as short as in production, so that a run is short. */
const LIMITS: TableLimits = {
  rowsMax: 12,
  bytesMax: 1 << 20,
  ageMsMin: 20,
  ageMsMax: 500,
  deadlineMs: 4_000,
  retryMsMin: 50,
  retryMsMax: 1_250,
  lateMs: 8_000,
};
const READING = {
  ...{ recordsMax: 20, bytesMax: 1 << 20, aheadBytesMax: 8_000 },
  ...{ waitMs: 30_000, pauseMs: 10 },
};
/** Longer than any insert may be under way, and than its token is remembered. */
const LONG_PAUSE_MS = 20_000;
const DRAIN_MS_MAX = 2_000;
/** By how much a clock is off, ahead or behind, and for how long. */
const OFF_MS_MAX = 7_200_000;
const OFF_FOR_MS_MAX = 5_000;
/** An owner that is paused while it is told the time is behind from then on; never by this much. */
const DATE_OFF_MS_MAX = 60_000;
/** Versions of the catalog under which the source stops at drift, in runs where it does, until it is corrected. */
const DRIFT_CATALOGS = 2;
const TARGET: Target = {
  statement: "ods.events",
  topic: "events",
  table: "events",
  catalog: 1,
  projection: PROJECTION,
};

interface Node {
  readonly machine: Machine;
  readonly registry: Registry;
  /** Ends it cleanly. */
  readonly leave: Deferred.Deferred<void>;
  state: TableState | undefined;
}

/** The faults and how often each of them comes, in hundredths. */
const FAULTS = [
  [20, "kill"],
  [22, "pause"],
  [8, "warehouse away"],
  [6, "log away"],
  [6, "coordinator away"],
  [12, "rebalances"],
  [7, "come and go"],
  [5, "everything stops and offsets expire"],
  [4, "topic created anew"],
  [4, "compaction"],
  [3, "one more partition"],
  [3, "a view fails"],
  [3, "a clock jumps"],
] as const;

type Fault = (typeof FAULTS)[number][1];

/** What a cluster lands, and how. */
export interface ClusterOptions {
  readonly log: FakeLog;
  readonly warehouse: FakeWarehouse;
  readonly windowParts: number;
  readonly stopsAtDrift: boolean;
  readonly dedupe: Target["dedupe"];
}

export class Cluster {
  /** What was seen that must never be seen. */
  readonly problems: string[] = [];
  readonly #nodes = new Map<number, Node>();
  readonly #world: World;
  readonly #log: FakeLog;
  readonly #warehouse: FakeWarehouse;
  readonly #windowParts: number;
  readonly #stopsAtDrift: boolean;
  readonly #dedupe: Target["dedupe"];
  #isCorrected = false;
  #boots = 0;

  constructor(world: World, of: ClusterOptions) {
    this.#world = world;
    this.#dedupe = of.dedupe;
    this.#stopsAtDrift = of.stopsAtDrift;
    this.#log = of.log;
    this.#warehouse = of.warehouse;
    this.#windowParts = of.windowParts;
    this.#warehouse.halfSent = (machine) => this.#pause(machine, LIMITS.deadlineMs + world.below(LONG_PAUSE_MS));
    this.#warehouse.justStored = (machine) => {
      for (const [node, booted] of this.#nodes) if (booted.machine === machine) this.#kill(node, machine);
    };
    this.heal();
  }

  /** One random fault. */
  strike(): void {
    let dice = this.#world.random() * FAULTS.reduce((sum, [weight]) => sum + weight, 0);
    const drawn = FAULTS.find(([weight]) => {
      dice -= weight;
      return dice < 0;
    });
    if (drawn !== undefined) this.#strike(drawn[1]);
  }

  /** Brings the corrected source into force: every process is started anew with it, whatever it was doing. */
  correct(): void {
    this.#isCorrected = true;
    for (const [node, { machine }] of this.#nodes) {
      machine.kill();
      this.#log.group.lose(machine);
      this.#boot(node);
    }
  }

  /** No more faults; what must be there is started again. */
  heal(): void {
    for (let node = 0; node < STEADY_NODES; node++) if (!this.#nodes.has(node)) this.#boot(node);
  }

  /** Partitions that stand still, with the reason. */
  stopped(): ReadonlyMap<number, string> {
    const current = [...this.#nodes.values()].flatMap(({ state }) =>
      state !== undefined && state.generation === this.#log.group.generation ? [...state.stopped] : [],
    );
    return new Map(current);
  }

  /** What every actor says about itself: for a run that does not settle. */
  reports(): string[] {
    return [...this.#nodes].flatMap(([node, { registry }]) =>
      registry.reports().map((report) => `node ${node}: ${JSON.stringify(report)}`),
    );
  }

  #strike(fault: Fault): void {
    const world = this.#world;
    const [log, warehouse] = [this.#log, this.#warehouse];
    const node = world.below(NODES);
    const machine = this.#nodes.get(node)?.machine;
    switch (fault) {
      case "kill":
        if (machine !== undefined) this.#kill(node, machine);
        break;
      case "pause":
        if (machine !== undefined) this.#pause(machine, 500 + world.below(world.chance(0.5) ? 2_500 : LONG_PAUSE_MS));
        break;
      case "warehouse away":
        warehouse.shards[world.below(warehouse.shards.length)]!.server.downUntilMs = world.nowMs + world.below(6_000);
        break;
      case "log away":
        log.server.downUntilMs = world.nowMs + world.below(3_000);
        break;
      case "coordinator away":
        log.group.awayUntilMs = world.nowMs + world.below(5_000);
        break;
      case "rebalances":
        for (let count = 1 + world.below(4); count > 0; count--)
          world.after(log.server.machine, world.below(1_500), () => log.group.rebalance());
        break;
      case "come and go":
        this.#comeOrGo();
        break;
      case "everything stops and offsets expire":
        this.#stopAllAndExpire();
        break;
      case "topic created anew":
        log.recreate();
        break;
      case "compaction":
        log.compact();
        break;
      case "one more partition":
        log.grow();
        break;
      case "a view fails":
        warehouse.isViewBroken = true;
        break;
      case "a clock jumps":
        if (machine !== undefined) this.#setOff(machine);
    }
  }

  #boot(node: number): void {
    const machine = new Machine(this.#world, `node ${node}.${this.#boots++}`);
    const registry = new Registry();
    const booted: Node = { machine, registry, leave: Deferred.makeUnsafe<void>(), state: undefined };
    this.#nodes.set(node, booted);
    const drained = Deferred.makeUnsafe<void>();
    const actor = tableActor({
      group: "ods.events",
      target: this.#targetAt(1 + this.#world.below(2) + (this.#isCorrected ? DRIFT_CATALOGS : 0)),
      limits: { ...LIMITS, shards: this.#warehouse.shards.length },
      partitionLimits: () => READING,
      windowParts: this.#windowParts,
      registry,
      visible: new CheckedVisible((position) => this.#checkVisible(position)),
      suspend: () => this.#warehouse.suspend(machine),
      evolve: () => Effect.die("no source evolves here"),
      targetAt: (catalog) => Effect.succeed(this.#targetAt(catalog)),
      isCurrent: Effect.succeed(true),
      drained: Effect.asVoid(Deferred.succeed(drained, undefined)),
    });
    const step = (state: TableState, message: TableMessage, nowMs: number) => {
      const turn = actor.step(state, message, nowMs);
      const isRecovering = turn[0].phase === "recovering" && booted.state?.phase !== "recovering";
      if (isRecovering && this.#world.chance(0.1))
        this.#world.after(this.#log.server.machine, this.#world.below(60), () => this.#log.group.rebalance());
      this.#checkDate(turn[0], booted.state);
      booted.state = turn[0];
      return turn;
    };
    const life = Effect.gen({ self: this }, function* () {
      const born = { address: "table/ods.events", registry, exceeded: Effect.die };
      const ref = yield* spawn({ ...actor, step }, born);
      yield* Deferred.await(booted.leave);
      const isHeard = yield* ref.tell({ kind: "drain" });
      const late = { duration: DRAIN_MS_MAX, orElse: () => Effect.void };
      if (isHeard) yield* Effect.timeoutOrElse(Deferred.await(drained), late);
    });
    machine.start(
      Effect.scoped(life).pipe(
        Effect.provideService(Log, this.#log.port(machine)),
        Effect.provideService(Warehouse, this.#warehouse.port(machine)),
        Effect.provideService(Ledger, this.#warehouse.ledger(machine)),
        Effect.provide(Logger.layer([])),
      ),
    );
  }

  /** The target as some version of the catalog says it. */
  #targetAt(catalog: number): Target {
    const target = { ...TARGET, catalog, dedupe: this.#dedupe };
    if (!this.#stopsAtDrift || catalog > DRIFT_CATALOGS) return target;
    return { ...target, projection: { ...PROJECTION, source: { ...PROJECTION.source, drift: "stop" } } };
  }

  #kill(node: number, machine: Machine): void {
    machine.kill();
    this.#log.group.lose(machine);
    this.#nodes.delete(node);
    const world = this.#world;
    world.after(this.#log.server.machine, 100 + world.below(4_000), () => {
      if (node < STEADY_NODES && !this.#nodes.has(node)) this.#boot(node);
    });
  }

  #pause(machine: Machine, ms: number): void {
    machine.pausedUntilMs = Math.max(machine.pausedUntilMs, this.#world.nowMs + ms);
    this.#log.group.expel(machine);
  }

  /** A machine's clock is set ahead or back, and right again a little later. */
  #setOff(machine: Machine): void {
    const world = this.#world;
    machine.offMs = OFF_MS_MAX - world.below(2 * OFF_MS_MAX);
    world.after(this.#log.server.machine, world.below(OFF_FOR_MS_MAX), () => {
      machine.offMs = 0;
    });
  }

  /** The last node joins, or drains and leaves. */
  #comeOrGo(): void {
    const node = this.#nodes.get(NODES - 1);
    this.#nodes.delete(NODES - 1);
    if (node === undefined) this.#boot(NODES - 1);
    else node.machine.scheduleTask(() => Deferred.doneUnsafe(node.leave, Effect.void));
  }

  /** Everything stops for longer than group offsets live; they expire unless a batch is open. */
  #stopAllAndExpire(): void {
    for (const [node, { machine }] of this.#nodes) this.#kill(node, machine);
    const { commits } = this.#log;
    const isOpen = [...commits.values()].some((commit) => decodeMark(commit.metadata)?.intent !== undefined);
    if (!isOpen) commits.clear();
  }

  /** What is announced is dated by the warehouse's clock: recovery asks what has landed since. */
  #checkDate({ phase, batch }: TableState, before: TableState | undefined): void {
    if (phase !== "announcing" || before?.phase === "announcing" || batch === undefined) return;
    const offMs = batch.intent.atMs - this.#world.nowMs;
    if (Math.abs(offMs) > DATE_OFF_MS_MAX) this.problems.push(`${batch.token}: is dated ${offMs} ms off`);
  }

  /** What is called visible has been committed, or the ledger knows its batch. */
  #checkVisible(position: Position): void {
    const ledger = this.#warehouse.positions();
    for (const [partition, next] of position) {
      const committed = this.#log.topics.some((topic) => (topic[partition]?.committed ?? 0) >= next);
      const isKnown = committed || ledger.some((at) => at.partition === partition && at.next >= next);
      if (!isKnown) this.problems.push(`partition ${partition} is called visible up to ${next} before its commit`);
    }
  }
}

class CheckedVisible extends Visible {
  readonly #check: (position: Position) => void;

  constructor(check: (position: Position) => void) {
    super(() => 0);
    this.#check = check;
  }

  override publish(table: string, position: Position): void {
    this.#check(position);
    super.publish(table, position);
  }
}
