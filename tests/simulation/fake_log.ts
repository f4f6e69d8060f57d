/**
 * A fake log: one topic in memory, which may be compacted, grow, or be deleted and created anew.
 *
 *   append ──▶ FakeTopic ◀──read── machines ──commit──▶ FakeGroup: generation? owned? still this topic? ──▶ commits
 *
 * Calls and their answers get lost. The commits of a group are forgotten with
 * its topic, and when nobody has used them for long.
 *
 * @module
 */
import {
  type Commit,
  type CommitAnswer,
  type Log,
  LogFailed,
  OffsetGap,
  type ReadAt,
  type Records,
} from "@weir/connectors";
import { Effect } from "effect";
import { FakeGroup } from "./fake_group.ts";
import { FakePartition } from "./fake_topic.ts";
import { type Machine, Server, type World } from "./world.ts";

const TOPIC = "events";
const PARTITIONS_MAX = 5;

type Refused = Effect.Effect<never, LogFailed>;

/** The one topic of the simulation, everything it ever was, and its consumer group. */
export class FakeLog {
  readonly world: World;
  readonly server: Server;
  readonly group: FakeGroup;
  /** Every topic of that name; the last one is there now, unless `isDeleted`. */
  readonly topics: FakePartition[][] = [];
  readonly commits = new Map<number, Commit>();
  isDeleted = false;
  /** What was seen that must never be seen. */
  readonly problems: string[] = [];
  #waiting: (() => void)[] = [];

  constructor(world: World, options: { partitions: number; lossy: number }) {
    this.world = world;
    this.server = new Server(world, "log", options.lossy);
    this.topics.push(Array.from({ length: options.partitions }, () => new FakePartition()));
    this.group = new FakeGroup(world, this.server.machine, () => ({
      topicId: this.topics.length,
      partitions: this.partitions.length,
    }));
  }

  /** The partitions of the topic that is there now. */
  get partitions(): readonly FakePartition[] {
    return this.isDeleted ? [] : (this.topics.at(-1) as FakePartition[]);
  }

  /** Appends a record to some partition, durable at once; nothing while there is no topic. */
  append(value: string): void {
    if (this.isDeleted) return;
    this.partitions[this.world.below(this.partitions.length)].append(this.world, value);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The topic is deleted, and created anew a little later. */
  recreate(): void {
    if (this.isDeleted) return;
    const count = this.partitions.length;
    for (const partition of this.partitions) partition.end();
    this.isDeleted = true;
    this.commits.clear();
    this.group.rebalance();
    this.world.after(this.server.machine, this.world.chance(0.5) ? 0 : this.world.below(3_000), () => {
      this.isDeleted = false;
      this.topics.push(Array.from({ length: count }, () => new FakePartition()));
      this.group.rebalance();
    });
  }

  /** The topic gets one more partition. */
  grow(): void {
    if (this.isDeleted || this.partitions.length === PARTITIONS_MAX) return;
    (this.topics.at(-1) as FakePartition[]).push(new FakePartition());
    this.group.rebalance();
  }

  /** Some of the newest records of one partition are compacted away. */
  compact(): void {
    if (!this.isDeleted) this.partitions[this.world.below(this.partitions.length)].compact(this.world);
  }

  /** The port as one machine sees it. */
  port(machine: Machine): Log["Service"] {
    const lost = () => new LogFailed({ reason: "unavailable", message: "the answer got lost", retriable: true });
    const call = <A, E>(serve: () => Effect.Effect<A, E>) =>
      this.server.call<A, E | LogFailed>(machine, { serve, lost, tookMs: 1 + this.world.below(5) });
    const ofTopic = <A, E>(serve: () => Effect.Effect<A, E>) =>
      call<A, E | LogFailed>(() => (this.isDeleted ? refusal("unknown topic") : serve()));
    const ofGroup = <A>(serve: () => A) =>
      ofTopic(() => (this.world.nowMs < this.group.awayUntilMs ? Effect.fail(lost()) : Effect.succeed(serve())));
    const refused = refusal("invalid");
    return {
      createTopic: () => refused,
      deleteTopic: () => refused,
      alterTopic: () => refused,
      topic: (name) =>
        call(() => {
          const topic = { name, id: `${this.topics.length}`, partitions: this.partitions.length, retention: {} };
          return Effect.succeed(this.isDeleted ? undefined : topic);
        }),
      keepsKeys: true,
      append: () => refused,
      offsets: () =>
        ofTopic(() =>
          Effect.succeed(this.partitions.map(({ latest }, partition) => ({ partition, earliest: 0, latest }))),
        ),
      read: (at) =>
        Effect.suspend(() =>
          (this.partitions[at.partition]?.latest ?? 0) > at.offset || at.waitMs === 0
            ? Effect.void
            : this.#news(machine, at.waitMs),
        ).pipe(Effect.andThen(ofTopic(() => this.#read(at)))),
      join: (_, __, options) =>
        Effect.suspend(() => (this.isDeleted ? refusal("unknown topic") : this.group.join(machine, options))),
      commit: (of, commits) => ofGroup(() => this.#commit(machine, { generation: of.generation, commits })),
      committed: () => ofGroup(() => [...this.commits.values()]),
      isShared: true,
      members: () => refused,
      diskBytes: Effect.succeed(undefined),
      copy: () => Effect.die("the simulation makes no backups"),
    };
  }

  #read(at: ReadAt): Effect.Effect<Records, OffsetGap | LogFailed> {
    const partition = this.partitions[at.partition];
    if (partition === undefined) return refusal("unknown topic");
    const { latest } = partition;
    if (at.offset > latest)
      return Effect.fail(
        new OffsetGap({ topic: TOPIC, partition: at.partition, asked: at.offset, earliest: 0, latest }),
      );
    const recordsMax = Math.min(at.recordsMax, 1 + this.world.below(12));
    return Effect.succeed(partition.read(TOPIC, { ...at, recordsMax }));
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

  #commit(
    machine: Machine,
    { generation, commits }: { generation: number; commits: readonly Commit[] },
  ): readonly CommitAnswer[] {
    const owned = this.group.ownedBy(machine);
    return commits.map((commit) => {
      const { partition, offset } = commit;
      // A generation is of one topic: under it nothing can be committed to another of the same name.
      if (generation !== this.group.generation || this.group.topicId !== this.topics.length)
        return { partition, error: "fenced" };
      if (!owned.includes(partition)) return { partition, error: "not owned" };
      const held = this.partitions[partition];
      if (offset < held.committed) this.problems.push(`${partition}: goes back from ${held.committed} to ${offset}`);
      this.commits.set(partition, commit);
      held.committed = Math.max(held.committed, offset);
      return { partition, error: undefined };
    });
  }
}

function refusal(reason: LogFailed["reason"]): Refused {
  return Effect.fail(new LogFailed({ reason, message: `not here: ${reason}`, retriable: false }));
}
