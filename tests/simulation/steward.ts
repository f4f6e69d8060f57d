/**
 * The steward of a simulated run: holds the source again and again to change what is behind it, and suffers as the owners do.
 *
 *   boot ──▶ holding ──stillHeld──▶ change, refused when the hold is over ──▶ let go ──▶ …
 *     ▲                    └──killed · paused for longer than its session: others take over
 *     └──────────────────────────────┘
 *
 * What runs on it is the hold that ships. What must hold at a change: nothing is
 * announced, and every row that is stored is committed.
 *
 * @module
 */
import { decodeMark, type Holdable, holding, Ledger, stillHeld } from "@weir/actors";
import { Log } from "@weir/connectors";
import { Duration, Effect, Logger } from "effect";
import type { FakeLog } from "./fake_log.ts";
import type { FakeWarehouse } from "./fake_warehouse.ts";
import { Machine, type World } from "./world.ts";

const HELD: Holdable = { group: "ods.events", topic: "events", name: "ods.events" };
const IDLE_MS_MAX = 3_000;
const WORK_MS_MAX = 1_500;
const STEPS_MAX = 3;
/** Longer than its session. */
const PAUSE_MS_MAX = 12_000;
const LOST_CHANCE = 0.2;

export class Steward {
  /** What was seen that must never be seen. */
  readonly problems: string[] = [];
  readonly #world: World;
  readonly #log: FakeLog;
  readonly #warehouse: FakeWarehouse;
  #machine: Machine;
  #boots = 0;
  #isEnded = false;

  constructor(world: World, of: { log: FakeLog; warehouse: FakeWarehouse }) {
    this.#world = world;
    this.#log = of.log;
    this.#warehouse = of.warehouse;
    this.#machine = this.#boot();
  }

  /** Kills or pauses it, wherever it is. */
  strike(): void {
    if (this.#world.chance(0.5)) this.#pause();
    else this.#kill();
  }

  /** No more changes. */
  end(): void {
    this.#isEnded = true;
    this.#kill();
  }

  #kill(): void {
    const machine = this.#machine;
    if (!machine.alive) return;
    machine.kill();
    this.#log.group.lose(machine);
    this.#world.after(this.#log.server.machine, 100 + this.#world.below(4_000), () => {
      if (!this.#isEnded) this.#machine = this.#boot();
    });
  }

  #pause(): void {
    const machine = this.#machine;
    machine.pausedUntilMs = Math.max(machine.pausedUntilMs, this.#world.nowMs + this.#world.below(PAUSE_MS_MAX));
    this.#log.group.expel(machine);
  }

  #boot(): Machine {
    const machine = new Machine(this.#world, `steward.${this.#boots++}`);
    const idle = Effect.suspend(() => machine.sleep(Duration.millis(this.#world.below(IDLE_MS_MAX))));
    // A hold that was not given, or was lost, is tried again.
    const once = Effect.andThen(idle, Effect.exit(holding([HELD], this.#work(machine))));
    machine.start(
      Effect.forever(once).pipe(
        Effect.provideService(Log, this.#log.port(machine)),
        Effect.provideService(Ledger, this.#warehouse.ledger(machine)),
        Effect.provide(Logger.layer([])),
      ),
    );
    return machine;
  }

  #work(machine: Machine) {
    const world = this.#world;
    return Effect.gen({ self: this }, function* () {
      for (let steps = 1 + world.below(STEPS_MAX); steps > 0; steps--) {
        yield* machine.sleep(Duration.millis(world.below(WORK_MS_MAX)));
        const untilMs = yield* stillHeld;
        if (world.chance(LOST_CHANCE)) this.#pause();
        yield* machine.sleep(Duration.millis(1));
        yield* Effect.exit(this.#warehouse.change(machine, { untilMs, look: () => this.#look() }));
      }
    });
  }

  /** Looks at everything in the moment of a change; answers the ids of what is committed. */
  #look(): ReadonlySet<string> {
    const { commits, partitions } = this.#log;
    const known = this.#warehouse.positions();
    for (const { partition, metadata } of commits.values()) {
      const intent = decodeMark(metadata)?.intent;
      // What a partition left open in an older epoch of its own ended with that.
      const isOver = known.some((at) => at.partition === partition && at.epoch > (intent?.epoch ?? 0));
      if (intent !== undefined && !isOver)
        this.problems.push(`a change while a batch is announced in partition ${partition}`);
    }
    const stored = new Set(this.#warehouse.rows.map(({ id }) => id));
    const before = new Set<string>();
    for (const { records, committed } of partitions) {
      for (const { offset, value } of records) {
        const id = /"id":"([^"]*)"/.exec(value)?.[1];
        if (id === undefined) continue;
        if (offset < committed) before.add(id);
        else if (stored.has(id)) this.problems.push(`${id}: is stored and not committed at a change`);
      }
    }
    return before;
  }
}
