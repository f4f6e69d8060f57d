/**
 * A fake log: topics in memory, a consumer group with generations, calls whose answers get lost.
 *
 *   join ──▶ rebalance: revoked ──released or expelled──▶ generation + 1 ──▶ assigned
 *
 * A member that is dead or paused is expelled after the session time-out and
 * the others take over; when it wakes it still believes in its old generation,
 * and every commit under it is refused.
 *
 * @module
 */
import {
  type Commit,
  type CommitAnswer,
  type Log,
  LogFailed,
  type MembershipEvent,
  OffsetGap,
  openRecords,
  type Records,
  RecordWriter,
} from "@weir/connectors";
import { Effect, Queue } from "effect";
import { type Machine, Server, type World } from "./world.ts";

interface Stored {
  readonly value: string;
  readonly timestampMs: number;
}

interface Member {
  readonly machine: Machine;
  readonly events: Queue.Queue<MembershipEvent>;
  owned: readonly number[];
  revoking: boolean;
  left: boolean;
  lastEventMs: number;
}

const SESSION_MS = 10_000;
const TOPIC = "events";

/** The one topic of the simulation and its consumer group. */
export class FakeLog {
  readonly world: World;
  readonly server: Server;
  readonly partitions: Stored[][];
  readonly commits = new Map<number, Commit>();
  generation = 0;
  #members: Member[] = [];
  #waiting: (() => void)[] = [];
  #rebalancing = false;

  constructor(world: World, options: { partitions: number; lossy: number }) {
    this.world = world;
    this.server = new Server(world, "log", options.lossy);
    this.partitions = Array.from({ length: options.partitions }, () => []);
  }

  /** Appends a record, durable at once. */
  append(partition: number, value: string): void {
    this.partitions[partition].push({ value, timestampMs: this.world.nowMs });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The port as one machine sees it. */
  port(machine: Machine): Log["Service"] {
    const lost = () => new LogFailed({ reason: "unavailable", message: "the answer got lost", retriable: true });
    const call = <A, E>(serve: () => Effect.Effect<A, E>) =>
      this.server.call<A, E | LogFailed>(machine, { serve, lost, tookMs: 1 + this.world.below(5) });
    const refused = Effect.fail(new LogFailed({ reason: "invalid", message: "not simulated", retriable: false }));
    return {
      createTopic: () => refused,
      deleteTopic: () => refused,
      alterTopic: () => refused,
      topics: refused,
      keepsKeys: true,
      append: () => refused,
      offsets: () =>
        call(() =>
          Effect.succeed(
            this.partitions.map((records, partition) => ({ partition, earliest: 0, latest: records.length })),
          ),
        ),
      read: (at) =>
        Effect.suspend(() =>
          this.partitions[at.partition].length > at.offset || at.waitMs === 0
            ? Effect.void
            : this.#news(machine, at.waitMs),
        ).pipe(Effect.andThen(call(() => this.#read(at)))),
      join: () => this.#join(machine),
      commit: (of, commits) =>
        call(() => Effect.sync(() => this.#commit(machine, { generation: of.generation, commits }))),
      committed: () => call(() => Effect.sync(() => [...this.commits.values()])),
      isShared: false,
      members: () => Effect.succeed([]),
      diskBytes: Effect.succeed(undefined),
      copy: () => Effect.die("the simulation makes no backups"),
    };
  }

  /** A machine was killed: the group notices after the session time-out. */
  lose(machine: Machine): void {
    this.world.after(this.server.machine, SESSION_MS, () => {
      this.#members = this.#members.filter((member) => member.machine !== machine);
      this.#rebalance();
    });
  }

  /** A machine was paused: expelled if it sleeps through the session time-out, a member again when it wakes. */
  expel(machine: Machine): void {
    this.world.after(this.server.machine, SESSION_MS, () => {
      const gone = this.#members.filter((member) => member.machine === machine && machine.isPaused());
      if (gone.length === 0) return;
      this.#members = this.#members.filter((member) => !gone.includes(member));
      this.#rebalance();
      this.world.after(machine, machine.pausedUntilMs - this.world.nowMs + this.world.below(2_000), () => {
        const back = gone.filter((member) => !member.left);
        for (const member of back) Object.assign(member, { owned: [], revoking: false });
        this.#members.push(...back);
        this.#rebalance();
      });
    });
  }

  #read(at: { partition: number; offset: number; recordsMax: number }): Effect.Effect<Records, OffsetGap> {
    const records = this.partitions[at.partition];
    if (at.offset > records.length) {
      return Effect.fail(
        new OffsetGap({ topic: TOPIC, partition: at.partition, asked: at.offset, earliest: 0, latest: records.length }),
      );
    }
    const count = Math.min(at.recordsMax, 1 + this.world.below(12), records.length - at.offset);
    const writer = new RecordWriter();
    for (const { value, timestampMs } of records.slice(at.offset, at.offset + count))
      writer.add({ key: null, value: Buffer.from(value), timestampMs });
    const run = { firstOffset: at.offset, count, start: 0, end: writer.length };
    return Effect.succeed(
      openRecords({ topic: TOPIC, partition: at.partition, next: at.offset + count }, writer.packed(), [run]),
    );
  }

  #news(machine: Machine, waitMs: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      let woken = false;
      const wake = () => {
        if (woken) return;
        woken = true;
        machine.scheduleTask(() => resume(Effect.void));
      };
      this.#waiting.push(wake);
      return Effect.sync(this.world.after(machine, waitMs, wake));
    });
  }

  #join(machine: Machine) {
    return Effect.gen({ self: this }, function* () {
      const events = yield* Queue.unbounded<MembershipEvent>();
      const member: Member = { machine, events, owned: [], revoking: false, left: false, lastEventMs: 0 };
      this.#members.push(member);
      this.#rebalance();
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          member.left = true;
          this.#members = this.#members.filter((other) => other !== member);
          this.#rebalance();
        }),
      );
      const released = () =>
        Effect.sync(() => {
          member.revoking = false;
        });
      return { events, released, heldUntilMs: () => Number.POSITIVE_INFINITY };
    });
  }

  /** Asks every member to release what it has, waits a session at most, then deals the partitions anew. */
  #rebalance(): void {
    if (this.#rebalancing) return;
    this.#rebalancing = true;
    for (const member of this.#members) {
      if (member.owned.length === 0) continue;
      member.revoking = true;
      this.#send(member, { kind: "revoked", generation: this.generation, partitions: member.owned });
    }
    const startedMs = this.world.nowMs;
    const settle = () => {
      const late = this.world.nowMs - startedMs >= SESSION_MS;
      if (!late && this.#members.some((member) => member.revoking))
        return void this.world.after(this.server.machine, 20, settle);
      this.#rebalancing = false;
      this.#deal();
    };
    this.world.after(this.server.machine, 20, settle);
  }

  #deal(): void {
    this.generation += 1;
    const shares = new Map(this.#members.map((member) => [member, [] as number[]]));
    const members = [...shares.keys()];
    for (const partition of this.partitions.keys())
      if (members.length > 0) shares.get(members[this.world.below(members.length)])?.push(partition);
    for (const [member, partitions] of shares) {
      member.owned = partitions;
      member.revoking = false;
      this.#send(member, { kind: "assigned", generation: this.generation, partitions });
    }
  }

  #send(member: Member, event: MembershipEvent): void {
    // One connection: events arrive in the order they were sent.
    member.lastEventMs = Math.max(member.lastEventMs, this.world.nowMs + 1 + this.world.below(5));
    this.world.after(member.machine, member.lastEventMs - this.world.nowMs, () =>
      member.machine.scheduleTask(() => Queue.offerUnsafe(member.events, event)),
    );
  }

  #commit(
    machine: Machine,
    { generation, commits }: { generation: number; commits: readonly Commit[] },
  ): readonly CommitAnswer[] {
    const owned = this.#members.filter((member) => member.machine === machine).flatMap((member) => member.owned);
    return commits.map((commit) => {
      const { partition } = commit;
      if (generation !== this.generation) return { partition, error: "fenced" };
      if (!owned.includes(partition)) return { partition, error: "not owned" };
      this.commits.set(partition, commit);
      return { partition, error: undefined };
    });
  }
}
