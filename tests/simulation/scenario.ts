/**
 * One simulated run: a few machines land a topic into a table while everything goes wrong, then the audit.
 *
 *   seed ──▶ producer · faults ──▶ heal ──▶ settled ──▶ quiet ──▶ audit
 *
 * The audit is the product's promise: every record that the log accepted is
 * exactly one row or exactly one quarantined record, the markers add up, and
 * the committed positions stand at the end of the log. In some runs the source
 * stops at drift while the faults last: until it is corrected nothing may be
 * quarantined, and nothing stored behind a bad record. In some its events come
 * again, and are known by their key; in some a steward changes what is behind
 * the table meanwhile.
 *
 * @module
 */
import { DEDUPLICATION_WINDOW_PARTS } from "@weir/sql";
import { audit, beyondDrift, type Evidence, isSettled } from "./audit.ts";
import { Cluster } from "./cluster.ts";
import { FakeLog } from "./fake_log.ts";
import { FakeWarehouse } from "./fake_warehouse.ts";
import { Steward } from "./steward.ts";
import { Machine, World } from "./world.ts";

/** What a run found; `problems` is empty when the promise held. */
export interface Outcome {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly records: number;
  /** Partitions that stood still in the end, for a reason. */
  readonly stopped: number;
}

const PARTITIONS = 3;
/** More than what lands while an owner tries one batch again and again; less than what does during a long pause. */
const WINDOW_PARTS = DEDUPLICATION_WINDOW_PARTS === 0 ? 0 : 48;
const STOPPING_CHANCE = 0.2;
const REPEATING_CHANCE = 0.25;
const CHANGING_CHANCE = 0.25;
/** How often a fault strikes the steward. */
const STEWARD_CHANCE = 0.3;
/** Of events that come again: few keys, and a time in which about half of the repeats come. */
const KEYS = 6;
const WITHIN_MS = 10_000;
const FAULTS_MS_MIN = 8_000;
const FAULTS_MS_MAX = 48_000;
/** Whoever still sleeps, or is still on its way, may do harm only then. */
const QUIET_MS = 30_000;
const SETTLE_MS_MAX = 3_600_000;
const LOOK_MS = 500;

/** Runs one seed. */
export function run(seed: number): Outcome {
  const world = new World(seed);
  const lossy = world.chance(0.3) ? 0 : 0.04;
  const log = new FakeLog(world, { partitions: PARTITIONS, lossy });
  const warehouse = new FakeWarehouse(world, { windowParts: WINDOW_PARTS, lossy });
  const faultsUntilMs = world.nowMs + FAULTS_MS_MIN + world.below(FAULTS_MS_MAX - FAULTS_MS_MIN);
  const dedupe = world.chance(REPEATING_CHANCE) ? { by: "key", withinMs: WITHIN_MS } : undefined;
  const sent = produce(world, log, { untilMs: faultsUntilMs, hasKeys: dedupe !== undefined });
  const stopsAtDrift = world.chance(STOPPING_CHANCE);
  const cluster = new Cluster(world, { log, warehouse, windowParts: WINDOW_PARTS, stopsAtDrift, dedupe });
  const steward = world.chance(CHANGING_CHANCE) ? new Steward(world, { log, warehouse }) : undefined;
  const plan = new Machine(world, "faults");
  const strike = () => {
    if (world.nowMs >= faultsUntilMs) return;
    if (steward !== undefined && world.chance(STEWARD_CHANCE)) steward.strike();
    else cluster.strike();
    world.after(plan, 250 + world.below(6_000), strike);
  };
  world.after(plan, world.below(3_000), strike);
  world.run(faultsUntilMs);
  warehouse.justStored = () => {};
  steward?.end();
  const evidence = (): Evidence => ({
    ...{ log, warehouse, windowParts: WINDOW_PARTS, stopped: cluster.stopped(), withinMs: dedupe?.withinMs },
  });
  const early = stopsAtDrift ? beyondDrift(evidence()) : [];
  if (stopsAtDrift) cluster.correct();
  cluster.heal();
  const settled = settle(world, () => isSettled(evidence()));
  world.run(world.nowMs + QUIET_MS);
  const seen = [cluster, log, warehouse, ...(steward === undefined ? [] : [steward])].flatMap(
    ({ problems }) => problems,
  );
  const problems = [...early, ...seen, ...audit(evidence())];
  if (!settled)
    problems.unshift("records never landed", ...cluster.reports(), JSON.stringify([...log.commits.values()]));
  return { seed, problems, records: sent(), stopped: cluster.stopped().size };
}

/** Lets the world go on until everything has settled; false if it does not. */
function settle(world: World, isSettled: () => boolean): boolean {
  const deadlineMs = world.nowMs + SETTLE_MS_MAX;
  while (!isSettled()) {
    if (world.nowMs >= deadlineMs) return false;
    // Where every partition stands still, nothing happens any more.
    if (!world.run(world.nowMs + LOOK_MS)) return isSettled();
  }
  return true;
}

/** Appends records at random times: mostly good, some bad, a few that only the engine knows to be bad; answers how many. */
function produce(
  world: World,
  log: FakeLog,
  { untilMs, hasKeys }: { readonly untilMs: number; readonly hasKeys: boolean },
): () => number {
  let sent = 0;
  const producer = new Machine(world, "producer");
  const pauseMs = world.chance(0.2) ? 300 : 1_250;
  const send = () => {
    if (world.nowMs >= untilMs) return;
    for (let burst = world.chance(0.1) ? 15 : 1; burst > 0; burst--) {
      const kind = world.chance(0.03) ? "bad" : world.chance(0.01) ? "odd" : "good";
      const id = `${sent++}-${kind}`;
      const key = hasKeys ? { key: `k${world.below(KEYS)}` } : {};
      log.append(world.chance(0.005) ? `not JSON, ${id}` : JSON.stringify({ id, kind, ...key }));
    }
    world.after(producer, world.below(pauseMs), send);
  };
  world.after(producer, 0, send);
  return () => sent;
}
