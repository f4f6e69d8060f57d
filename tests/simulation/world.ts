/**
 * The simulated world: one thread, virtual time, and every choice drawn from a seed.
 *
 *   seed ──▶ which task runs next · where fibers yield · how long messages take · who dies when
 *
 * A `Machine` is one process: Effect's scheduler, dispatcher and clock at once.
 * Killing it drops its tasks and timers without a finalizer, as kill -9 does;
 * pausing it (SIGSTOP) leaves them where they are while the others go on.
 *
 * @module
 */
import { Clock, Context, Duration, Effect, type Fiber, Random, Scheduler } from "effect";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly machine: Machine;
  readonly run: () => void;
  cancelled: boolean;
}

/** A small deterministic generator (sfc32): the same seed gives the same numbers everywhere. */
export function generator(seed: number): () => number {
  let [a, b, c, d] = [0x9e3779b9, seed | 0, (seed / 2 ** 32) | 0, 1];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** Everything that happens, in one thread. */
export class World {
  nowMs = 1_700_000_000_000;
  readonly random: () => number;
  readonly machines = new Set<Machine>();
  #timers: Timer[] = [];
  readonly #ready: Machine[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = generator(seed);
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.random() * below);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** Runs `run` on a machine after a delay, unless it is dead by then. */
  after(machine: Machine, delayMs: number, run: () => void): () => void {
    const timer: Timer = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#order++,
      machine,
      run,
      cancelled: false,
    };
    const timers = this.#timers;
    let low = 0;
    let high = timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = timers[middle];
      if (other.atMs < timer.atMs || (other.atMs === timer.atMs && other.order < timer.order)) low = middle + 1;
      else high = middle;
    }
    timers.splice(low, 0, timer);
    return () => {
      timer.cancelled = true;
    };
  }

  /** Lets the world go on until `untilMs`; false if nothing can happen any more. */
  run(untilMs: number): boolean {
    for (;;) {
      const task = this.#nextTask();
      if (task !== undefined) {
        task();
        continue;
      }
      const next = this.#timers[0];
      if (next === undefined) return false;
      if (next.atMs > untilMs) {
        this.nowMs = untilMs;
        return true;
      }
      this.#timers.shift();
      if (next.cancelled || !next.machine.alive) continue;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (next.machine.isPaused()) this.after(next.machine, next.machine.pausedUntilMs - this.nowMs, next.run);
      else next.run();
    }
  }

  /** The oldest task of a random machine that can run. */
  #nextTask(): (() => void) | undefined {
    const ready = this.#ready;
    ready.length = 0;
    for (const machine of this.machines) if (machine.tasks.length > 0 && !machine.isPaused()) ready.push(machine);
    if (ready.length === 0) return undefined;
    return ready[ready.length === 1 ? 0 : this.below(ready.length)].tasks.shift();
  }
}

/** One process of the world. */
export class Machine implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher, Clock.Clock {
  readonly executionMode = "async";
  alive = true;
  pausedUntilMs = 0;
  /** By how much its clock is off; timers are right. */
  offMs = 0;
  readonly tasks: (() => void)[] = [];
  readonly world: World;
  readonly name: string;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    world.machines.add(this);
  }

  /** Starts a program on this machine. */
  start<A, E>(program: Effect.Effect<A, E>): void {
    const { random } = this.world;
    const nextInt = () => Math.floor(random() * Number.MAX_SAFE_INTEGER);
    const services = Context.make(Scheduler.Scheduler, this).pipe(
      Context.add(Clock.Clock, this),
      Context.add(Random.Random, { nextDoubleUnsafe: random, nextIntUnsafe: nextInt }),
    );
    Effect.runForkWith(services)(program, { scheduler: this });
  }

  /** Ends it as kill -9 does: nothing of it runs any more. */
  kill(): void {
    this.alive = false;
    this.tasks.length = 0;
    this.world.machines.delete(this);
  }

  isPaused(): boolean {
    return this.world.nowMs < this.pausedUntilMs;
  }

  /** Never at a fiber's first steps: the runtime counts on an interrupted fiber to end before its start is due. */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount > 16 && this.world.chance(0.05);
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this;
  }

  scheduleTask(task: () => void): void {
    if (this.alive) this.tasks.push(task);
  }

  flush(): void {}

  currentTimeMillisUnsafe(): number {
    return this.world.nowMs + this.offMs;
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n;
  }

  monotonicTimeNanosUnsafe(): bigint {
    return BigInt(this.world.nowMs) * 1_000_000n;
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe());
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe());
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe());

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const cancel = this.world.after(this, Duration.toMillis(duration), () =>
        this.scheduleTask(() => resume(Effect.void)),
      );
      return Effect.sync(cancel);
    });
  }
}

/** A server of the world: answers calls after a while, or loses the call or the answer. */
export class Server {
  readonly machine: Machine;
  /** Called with nothing to answer while the server is away. */
  downUntilMs = 0;
  readonly #lossy: number;

  constructor(world: World, name: string, lossy: number) {
    this.machine = new Machine(world, name);
    this.#lossy = lossy;
  }

  /**
   * Makes a call from `caller`: `serve` runs once on the server, or never when the call is lost. What it does it does at
   * once; the effect that it returns is only the answer, which may get lost.
   */
  call<A, E>(
    caller: Machine,
    options: { serve: () => Effect.Effect<A, E>; lost: () => E; tookMs: number },
  ): Effect.Effect<A, E> {
    const { world } = caller;
    return Effect.callback<A, E>((resume) => {
      const answer = (effect: Effect.Effect<A, E>) =>
        world.after(caller, 1 + world.below(3), () => caller.scheduleTask(() => resume(effect)));
      world.after(this.machine, options.tookMs, () => {
        if (world.nowMs < this.downUntilMs || world.chance(this.#lossy / 2))
          return void answer(Effect.fail(options.lost()));
        const result = options.serve();
        answer(world.chance(this.#lossy / 2) ? Effect.fail(options.lost()) : result);
      });
    });
  }
}
