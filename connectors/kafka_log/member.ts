/**
 * One member of a consumer group, in Kafka's classic protocol: https://kafka.apache.org/protocol (JoinGroup, SyncGroup).
 *
 *   joining ──generation, share──▶ owning ──heartbeat: rebalance · partitions changed──▶ revoking ──released, or too late──┐
 *      ▲                              └──heartbeat: unknown member · older generation──▶ revoking, then joins as new        │
 *      └────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * While it is revoking it goes on with its heartbeats, and Kafka takes its commits under the old generation. The member
 * that Kafka calls leader shares the partitions out and asks for a rebalance when the topic has others. A broker that
 * cannot be reached revokes nothing: whoever lost its partitions meanwhile is fenced, and hears so from the next answer.
 * An exclusive member keeps what it has through a rebalance: it says so when it joins again, and releases nothing.
 *
 * @module
 */
import { hostname } from "node:os";
import { Queue } from "effect";
import type { Broker, default as Cluster } from "kafkajs/src/cluster/index.js";
import type { Commit, MembershipEvent } from "../log.ts";
import {
  type Claim,
  decodeShare,
  decodeSubscription,
  encodeShare,
  PROTOCOL,
  shareOut,
  subscription,
} from "./assignment.ts";
import type { Catalog } from "./catalog.ts";
import type { Clients } from "./client.ts";
import { failureOf, typeOf, unavailable } from "./failures.ts";
import { askCommit, askJoin } from "./wire.ts";

const HEARTBEAT_MS = 500;
/** A member that is silent for so long has lost its partitions. */
const SESSION_MS = 10_000;
/** How long a rebalance waits for members that must release first. */
const REBALANCE_MS = 60_000;
/** Below REBALANCE_MS: who rejoins later is thrown out of the group. */
const RELEASE_MS_MAX = 50_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 2_000;
const LEAVE_MS_MAX = 1_000;
/** What people read of a member: where it runs. */
const NAME = `${hostname()} pid ${process.pid}`;

/** What a heartbeat's answer asks for. */
type Turn = "stay" | "rejoin" | "join as new" | "find the coordinator";

/** What to do about an error of the group's coordinator, by the protocol's name of it. */
export function turnOf(type: string): Turn {
  switch (type) {
    case "REBALANCE_IN_PROGRESS":
      return "rejoin";
    case "UNKNOWN_MEMBER_ID":
    case "ILLEGAL_GENERATION":
    case "FENCED_INSTANCE_ID":
      return "join as new";
    default:
      return "find the coordinator";
  }
}

export class Member {
  readonly group: string;
  readonly topic: string;
  readonly events: Queue.Queue<MembershipEvent>;
  readonly exclusive: boolean;
  /** Under which it owns its partitions; -1 while it owns none. */
  generation = -1;
  partitions: readonly number[] = [];
  /** Of the topic that the partitions are of: it is new whenever the topic is created anew. */
  topicId: string | undefined;
  readonly #catalog: Catalog;
  readonly #clients: Clients;
  #cluster: Cluster | undefined;
  #coordinator: Broker | undefined;
  #memberId = "";
  #isLeader = false;
  /** The topic's id and number of partitions that the present shares are of. */
  #shared = "";
  #unreleased = new Set<number>();
  #left = false;
  /** When the last request was sent that the coordinator took from this member. */
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #retryMs = RETRY_MS_MIN;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(
    of: { readonly group: string; readonly topic: string; readonly exclusive: boolean },
    parts: { clients: Clients; catalog: Catalog; events: Member["events"] },
  ) {
    this.group = of.group;
    this.topic = of.topic;
    this.exclusive = of.exclusive;
    this.events = parts.events;
    this.#clients = parts.clients;
    this.#catalog = parts.catalog;
  }

  /** Begins to take part, until `leave`. */
  start(): void {
    const unhear = this.#catalog.hear(() => {
      if (this.#isLeader && this.#topicNow() !== this.#shared) this.#wake.resolve();
    });
    this.#running = this.#run().finally(unhear);
  }

  /** Until when the coordinator gives nobody else what this member owns; it waits SESSION_MS for a silent one. */
  heldUntilMs(): number {
    return this.partitions.length === 0 ? Number.NEGATIVE_INFINITY : this.#heardAtMs + SESSION_MS / 2;
  }

  /** These partitions are no longer worked on here. */
  released(partitions: readonly number[]): void {
    for (const partition of partitions) this.#unreleased.delete(partition);
    if (this.#unreleased.size === 0) this.#wake.resolve();
  }

  /** Leaves the group, so that the others need not wait for the session to end; by another connection, where nothing waits. */
  async leave(cluster: Cluster): Promise<void> {
    this.#left = true;
    this.generation = -1;
    Queue.shutdownUnsafe(this.events);
    this.#wake.resolve();
    const [groupId, memberId] = [this.group, this.#memberId];
    const goodbye =
      memberId !== "" &&
      cluster.findGroupCoordinator({ groupId }).then((broker) => broker.leaveGroup({ groupId, memberId }));
    // if the goodbye is lost, the session ends by itself
    if (goodbye) await Promise.race([goodbye.catch(() => {}), Bun.sleep(LEAVE_MS_MAX)]);
    await this.#cluster?.disconnect();
    await this.#running;
    await this.#cluster?.disconnect(); // if it was only being opened
  }

  /** Commits under the present generation; each partition's error by the protocol's name of it. */
  async commit(commits: readonly Commit[]): Promise<ReadonlyMap<number, string | undefined>> {
    const { group, topic, generation } = this;
    try {
      const broker = await this.#findCoordinator();
      return await askCommit(broker, { group, topic, generation, memberId: this.#memberId, commits });
    } catch (error) {
      this.#coordinator = undefined;
      throw error;
    }
  }

  /** The coordinator moved, or does not know its groups yet. */
  lostCoordinator(): void {
    this.#coordinator = undefined;
  }

  async #run(): Promise<void> {
    while (!this.#left) {
      try {
        await this.#join();
        this.#retryMs = RETRY_MS_MIN;
        await this.#revoke(await this.#own());
      } catch (error) {
        await this.#failed(error);
      }
    }
  }

  /** Joins, and hears its share. */
  async #join(): Promise<void> {
    const broker = await this.#findCoordinator();
    const claim: Claim = this.exclusive ? (this.partitions.length > 0 ? "kept" : "all") : "share";
    const joined = await askJoin(broker, {
      ...{ group: this.group, memberId: this.#memberId, sessionMs: SESSION_MS, rebalanceMs: REBALANCE_MS },
      protocol: { name: PROTOCOL, metadata: subscription(this.topic, { name: NAME, claim }) },
    });
    if (typeof joined === "string") {
      this.#memberId = joined;
      return this.#join();
    }
    const { generation: generationId, memberId } = joined;
    this.#memberId = memberId;
    this.#isLeader = joined.leaderId === memberId;
    const shares = this.#isLeader ? await this.#shareOut(joined.members) : [];
    const sentMs = Date.now();
    const synced = await broker.syncGroup({
      ...{ groupId: this.group, generationId, memberId, groupAssignment: shares },
    });
    if (this.#left) return;
    this.topicId = (await this.#catalog.now(this.topic))?.id;
    if (this.#left) return;
    const before = this.partitions;
    this.#heardAtMs = sentMs;
    this.generation = generationId;
    this.partitions = decodeShare(this.topic, synced.memberAssignment);
    this.#tell(before);
  }

  /** Says what is owned now; who kept its partitions through a rebalance hears only what has changed. */
  #tell(before: readonly number[]): void {
    const { generation, partitions } = this;
    const gone = before.filter((partition) => !partitions.includes(partition));
    if (gone.length > 0) Queue.offerUnsafe(this.events, { kind: "revoked", generation, partitions: gone });
    const isNew = gone.length > 0 || partitions.length > before.length;
    if (isNew && partitions.length > 0) Queue.offerUnsafe(this.events, { kind: "assigned", generation, partitions });
  }

  async #shareOut(members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]) {
    await this.#catalog.refresh();
    const topic = this.#catalog.known(this.topic);
    this.#shared = this.#topicNow();
    const claimants = members.map(({ memberId, memberMetadata }) => ({
      ...{ memberId, ...decodeSubscription(memberMetadata) },
    }));
    const shares = shareOut(claimants, topic?.leaders.length ?? 0);
    return [...shares].map(([memberId, partitions]) => ({
      ...{ memberId, memberAssignment: encodeShare(this.topic, partitions) },
    }));
  }

  #topicNow(): string {
    const topic = this.#catalog.known(this.topic);
    return topic === undefined ? "" : `${topic.id} ${topic.leaders.length}`;
  }

  /** Sends heartbeats until the partitions must be given up; says how to go on. */
  async #own(): Promise<Turn> {
    while (!this.#left) {
      await this.#pause(HEARTBEAT_MS);
      if (this.#isLeader && (await this.#hasChanged())) return "rejoin";
      const turn = await this.#heartbeat();
      if (turn === "rejoin" || turn === "join as new") return turn;
    }
    return "stay";
  }

  async #hasChanged(): Promise<boolean> {
    try {
      await this.#catalog.topic(this.topic);
    } catch (error) {
      // only brokers that were asked can say that the topic is gone
      if (failureOf(error, { doing: "look at a topic", topic: this.topic }).reason !== "unknown topic") return false;
    }
    const now = this.#topicNow();
    return now !== this.#shared && (now !== "" || this.partitions.length > 0);
  }

  async #heartbeat(): Promise<Turn> {
    if (this.#left) return "stay";
    try {
      const broker = await this.#findCoordinator();
      const sentMs = Date.now();
      await broker.heartbeat({ groupId: this.group, groupGenerationId: this.generation, memberId: this.#memberId });
      this.#heardAtMs = sentMs;
      return "stay";
    } catch (error) {
      const turn = turnOf(typeOf(error));
      if (turn === "find the coordinator") this.#coordinator = undefined;
      return turn;
    }
  }

  /** Tells that the partitions are taken, and waits until they are released or it is too late to wait. */
  async #revoke(turn: Turn): Promise<void> {
    if (this.#left) return;
    if (this.exclusive && turn === "rejoin") {
      this.generation = -1; // its partitions stay its own
      return;
    }
    if (turn === "join as new") this.#heardAtMs = Number.NEGATIVE_INFINITY;
    const { generation, partitions } = this;
    if (partitions.length > 0) {
      this.#unreleased = new Set(partitions);
      Queue.offerUnsafe(this.events, { kind: "revoked", generation, partitions });
      const deadlineMs = performance.now() + RELEASE_MS_MAX;
      while (!this.#left && this.#unreleased.size > 0 && performance.now() < deadlineMs) {
        await this.#pause(HEARTBEAT_MS);
        if (this.#unreleased.size > 0) await this.#heartbeat();
      }
    }
    this.generation = -1;
    this.partitions = [];
    if (turn === "join as new") this.#memberId = "";
  }

  async #failed(error: unknown): Promise<void> {
    this.generation = -1;
    const turn = turnOf(typeOf(error));
    if (turn === "join as new") this.#forget();
    if (turn === "find the coordinator") this.#coordinator = undefined;
    if (turn === "rejoin" || this.#left) return; // another rebalance began meanwhile
    await this.#pause(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  /** The group has gone on without this member. */
  #forget(): void {
    const { partitions, generation } = this;
    this.#memberId = "";
    this.partitions = [];
    if (partitions.length > 0) Queue.offerUnsafe(this.events, { kind: "revoked", generation, partitions });
  }

  async #findCoordinator(): Promise<Broker> {
    if (this.#left) throw unavailable("this member has left its group");
    this.#cluster ??= await this.#clients.cluster();
    this.#coordinator ??= await this.#cluster.findGroupCoordinator({ groupId: this.group });
    if (this.#left) throw unavailable("this member has left its group");
    return this.#coordinator;
  }

  /** Sleeps until there is something to look at, at most `ms`. */
  async #pause(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#wake.resolve(), ms);
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }
}
