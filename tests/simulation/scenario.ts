/**
 * One simulated run: a few machines land a topic into a table while everything goes wrong, then the audit.
 *
 *   seed ──▶ producers · kills · pauses · lost answers · rebalances · outages ──▶ quiet ──▶ audit
 *
 * The audit is the product's promise: every record that the log accepted is
 * exactly one row or exactly one quarantined record, the markers add up, and
 * the committed positions stand at the end of the log. In some runs the source
 * stops at drift while the faults last: until it is corrected nothing may be
 * quarantined, and nothing stored behind a bad record.
 *
 * @module
 */
import { decodeMark, Ledger, Registry, spawn, type TableLimits, type Target, tableActor, Visible } from "@weir/actors";
import { Log, Warehouse } from "@weir/connectors";
import { DEDUPLICATION_WINDOW_PARTS } from "@weir/sql";
import { Effect, Logger } from "effect";
import { FakeLog } from "./fake_log.ts";
import { FakeWarehouse, PROJECTION } from "./fake_warehouse.ts";
import { Machine, World } from "./world.ts";

/** What a run found; `problems` is empty when the promise held. */
export interface Outcome {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly records: number;
  readonly virtualMs: number;
}

const PARTITIONS = 3;
const NODES = 2;
const LIMITS: TableLimits = {
  rowsMax: 12,
  bytesMax: 1 << 20,
  ageMsMin: 20,
  ageMsMax: 500,
  deadlineMs: 60_000,
  retryMsMin: 50,
  retryMsMax: 5_000,
};
/** Enough for what lands within two deadlines here; far less than a long pause. */
const WINDOW_PARTS = DEDUPLICATION_WINDOW_PARTS === 0 ? 0 : 90;
const TARGET: Target = {
  statement: "ods.events",
  topic: "events",
  table: "events",
  catalog: 1,
  projection: PROJECTION,
};
/** The source before it is corrected, where it stops at drift; the correction is the next version of the catalog. */
const STOPPING: Target = { ...TARGET, projection: { ...PROJECTION, source: { ...PROJECTION.source, drift: "stop" } } };
const CORRECTED: Target = { ...TARGET, catalog: 2 };
const STOPPING_CHANCE = 0.2;
const QUIET_MS = 320_000;
const HOUR_MS = 3_600_000;

/** Runs one seed. */
export function run(seed: number): Outcome {
  const world = new World(seed);
  const lossy = world.chance(0.3) ? 0 : 0.04;
  const log = new FakeLog(world, { partitions: PARTITIONS, lossy });
  const warehouse = new FakeWarehouse(world, { windowParts: WINDOW_PARTS, lossy });
  const beginMs = world.nowMs;
  const faultsUntilMs = beginMs + 40_000 + world.below(260_000);
  const sent = produce(world, log, faultsUntilMs);
  const isStopping = world.chance(STOPPING_CHANCE);
  const cluster = new Cluster(world, log, warehouse);
  if (isStopping) cluster.target = STOPPING;
  for (let node = 0; node < NODES; node++) cluster.boot(node);
  const plan = new Machine(world, "faults");
  const strike = () => {
    if (world.nowMs >= faultsUntilMs) return;
    cluster.strike();
    world.after(plan, 1_000 + world.below(40_000), strike);
  };
  world.after(plan, world.below(20_000), strike);
  world.run(() => false, faultsUntilMs);
  const early = isStopping ? beyondDrift(log, warehouse) : [];
  if (isStopping) cluster.apply(CORRECTED);
  cluster.heal();
  const settled = world.run(() => isSettled(log, warehouse, sent.length), world.nowMs + HOUR_MS);
  // Whoever still sleeps or is still on its way may do harm only now.
  world.run(() => false, world.nowMs + QUIET_MS);
  const problems = [...early, ...audit(log, warehouse)];
  if (settled !== "done")
    problems.unshift(
      `the run ended by ${settled} with records that never landed`,
      ...cluster.reports(),
      ...[...log.commits.values()].map((c) => JSON.stringify(c)),
      log.partitions.map((x) => x.length).join(),
    );
  return { seed, problems, records: sent.length, virtualMs: world.nowMs - beginMs };
}

/** Appends records at random times: mostly good, some bad, a few that only the engine knows to be bad. */
function produce(world: World, log: FakeLog, untilMs: number): string[] {
  const sent: string[] = [];
  const producer = new Machine(world, "producer");
  const send = () => {
    if (world.nowMs >= untilMs) return;
    for (let burst = world.chance(0.1) ? 15 : 1; burst > 0; burst--) {
      const kind = world.chance(0.03) ? "bad" : world.chance(0.01) ? "odd" : "good";
      const id = `${sent.length}-${kind}`;
      sent.push(id);
      const value = world.chance(0.005) ? "not JSON" : JSON.stringify({ id, kind });
      log.append(world.below(PARTITIONS), value);
    }
    world.after(producer, world.below(2_500), send);
  };
  world.after(producer, 0, send);
  return sent;
}

class Cluster {
  readonly #machines = new Map<number, Machine>();
  readonly #registries = new Map<number, Registry>();
  readonly #world: World;
  readonly #log: FakeLog;
  readonly #warehouse: FakeWarehouse;
  /** What is in force; batches that were announced under the first version keep that. */
  target = TARGET;
  #first = TARGET;
  #boots = 0;

  constructor(world: World, log: FakeLog, warehouse: FakeWarehouse) {
    this.#world = world;
    this.#log = log;
    this.#warehouse = warehouse;
  }

  boot(node: number): void {
    const [target, first] = [this.target, this.#first];
    const machine = new Machine(this.#world, `node ${node}.${this.#boots++}`);
    this.#machines.set(node, machine);
    const registry = new Registry();
    this.#registries.set(node, registry);
    const actor = tableActor({
      group: "ods.events",
      target,
      limits: LIMITS,
      partitionLimits: { recordsMax: 20, bytesMax: 1 << 20, aheadBytesMax: 2_000, waitMs: 5_000, pauseMs: 10 },
      windowParts: WINDOW_PARTS,
      registry,
      visible: new Visible(),
      suspend: () => Effect.die("there are no views here"),
      targetAt: (catalog) => Effect.succeed(catalog === target.catalog ? target : first),
      isCurrent: Effect.succeed(true),
      drained: Effect.void,
    });
    const program = Effect.scoped(
      Effect.andThen(spawn(actor, { address: "table/ods.events", registry, exceeded: Effect.die }), Effect.never),
    ).pipe(
      Effect.provideService(Log, this.#log.port(machine)),
      Effect.provideService(Warehouse, this.#warehouse.port(machine)),
      Effect.provideService(Ledger, this.#warehouse.ledger(machine)),
      Effect.provide(Logger.layer([])),
    );
    machine.start(program);
  }

  /** What every actor says about itself: for a run that does not settle. */
  reports(): string[] {
    return [...this.#registries].flatMap(([node, registry]) =>
      registry.reports().map((report) => `node ${node}: ${JSON.stringify(report)}`),
    );
  }

  /** One random fault. */
  strike(): void {
    const world = this.#world;
    const node = world.below(NODES);
    const machine = this.#machines.get(node);
    const dice = world.random();
    if (dice < 0.35 && machine !== undefined) this.#kill(node, machine);
    else if (dice < 0.7 && machine !== undefined)
      this.#pause(machine, 1_000 + world.below(world.chance(0.5) ? 15_000 : 250_000));
    else if (dice < 0.8) this.#warehouse.server.downUntilMs = world.nowMs + world.below(40_000);
    else if (dice < 0.87) this.#log.server.downUntilMs = world.nowMs + world.below(20_000);
    else if (dice < 0.94) this.#stopAllAndExpire();
  }

  /** Brings another version of the source into force: every process is started anew with it, whatever it was doing. */
  apply(target: Target): void {
    this.#first = this.target;
    this.target = target;
    for (const [node, machine] of this.#machines) {
      machine.kill();
      this.#log.lose(machine);
      this.boot(node);
    }
  }

  /** No more faults; everything dead is started again. */
  heal(): void {
    for (let node = 0; node < NODES; node++) if (!this.#machines.has(node)) this.boot(node);
  }

  #kill(node: number, machine: Machine): void {
    machine.kill();
    this.#log.lose(machine);
    this.#machines.delete(node);
    const world = this.#world;
    world.after(this.#log.server.machine, 500 + world.below(30_000), () => {
      if (!this.#machines.has(node)) this.boot(node);
    });
  }

  #pause(machine: Machine, ms: number): void {
    machine.pausedUntilMs = Math.max(machine.pausedUntilMs, this.#world.nowMs + ms);
    this.#log.expel(machine);
  }

  /** Everything stops for longer than group offsets live; they expire unless a batch is open. */
  #stopAllAndExpire(): void {
    for (const [node, machine] of this.#machines) this.#kill(node, machine);
    const isOpen = [...this.#log.commits.values()].some((commit) => decodeMark(commit.metadata)?.intent !== undefined);
    if (!isOpen) this.#log.commits.clear();
  }
}

function isSettled(log: FakeLog, warehouse: FakeWarehouse, records: number): boolean {
  if (warehouse.rows.length + warehouse.quarantine.length < records) return false;
  return log.partitions.every((stored, partition) => {
    // Expired offsets come back with the next batch; until then the ledger knows the position.
    const commit = log.commits.get(partition);
    return (
      commit === undefined || (commit.offset === stored.length && decodeMark(commit.metadata)?.intent === undefined)
    );
  });
}

/** What a source that stops at drift must not have done yet. */
function beyondDrift(log: FakeLog, warehouse: FakeWarehouse): string[] {
  const firstBad = log.partitions.map((records) => records.findIndex(({ value }) => !value.includes('"good"')));
  const beyond = warehouse.rows.filter(({ partition, offset }) => {
    const bad = firstBad[partition]!;
    return bad >= 0 && offset > bad;
  });
  return [
    ...beyond.map(({ partition, offset }) => `${partition}/${offset}: was stored behind a record that stops it`),
    ...warehouse.quarantine.map(
      ({ partition, offset }) => `${partition}/${offset}: was quarantined instead of stopping`,
    ),
  ];
}

/** Compares what the log accepted with what the warehouse has; says what is wrong. */
function audit(log: FakeLog, warehouse: FakeWarehouse): string[] {
  const problems: string[] = [];
  const found = new Map<string, string[]>();
  const add = (key: string, what: string) => found.set(key, [...(found.get(key) ?? []), what]);
  for (const { partition, offset, id } of warehouse.rows) add(`${partition}/${offset}`, `stored ${id}`);
  for (const { partition, offset } of warehouse.quarantine) add(`${partition}/${offset}`, "quarantined");
  for (const [partition, records] of log.partitions.entries()) {
    for (const [offset, { value }] of records.entries()) {
      const isGood = value.includes('"good"');
      const expected = isGood ? `stored ${(JSON.parse(value) as { id: string }).id}` : "quarantined";
      const actual = found.get(`${partition}/${offset}`) ?? [];
      if (actual.length !== 1 || actual[0] !== expected)
        problems.push(`${partition}/${offset}: ${expected} is expected, found: ${actual.join(", ") || "nothing"}`);
      found.delete(`${partition}/${offset}`);
    }
  }
  for (const [key, what] of found) problems.push(`${key}: was never sent, found: ${what.join(", ")}`);
  const markers = [...warehouse.markers.values()];
  const stored = markers.reduce((sum, marker) => sum + marker.stored, 0);
  const quarantined = markers.reduce((sum, marker) => sum + marker.quarantined, 0);
  if (stored !== warehouse.rows.length)
    problems.push(`markers say ${stored} stored, the table has ${warehouse.rows.length}`);
  if (quarantined !== warehouse.quarantine.length)
    problems.push(`markers say ${quarantined} quarantined, there are ${warehouse.quarantine.length}`);
  return problems;
}
