/**
 * A fake consumer group: members, generations, and every way of dealing partitions out.
 *
 *   join · leave · expelled · partitions added · topic gone ──▶ rebalance: revoked ──released, or too late──▶
 *        generation + 1 ──▶ assigned
 *
 * A rebalance revokes from everybody everything (as Kafka's classic protocol),
 * or only what moves while the others stay. A member that is dead or paused is
 * expelled after the session time-out; when it wakes it still believes in its
 * old generation. While the coordinator is away nothing of this goes on. An
 * exclusive member gets everything, keeps it through rebalances, and knows by
 * its heartbeats until when.
 *
 * @module
 */
import type { JoinOptions, MembershipEvent } from "@weir/connectors";
import { Effect, Queue } from "effect";
import type { Machine, World } from "./world.ts";

interface Member {
  readonly machine: Machine;
  readonly exclusive: boolean;
  /** When the coordinator last heard of it, by its own clock. */
  heardAtMs: number;
  readonly events: Queue.Queue<MembershipEvent>;
  owned: readonly number[];
  revoking: boolean;
  left: boolean;
  lastEventMs: number;
}

/** The topic as the group sees it now; no partitions while there is none. */
export interface Dealt {
  readonly topicId: number;
  readonly partitions: number;
}

const SESSION_MS = 1_500;
/** Of exclusive members: half of it is more than what a hold must have left. */
const HOLDER_SESSION_MS = 4_000;
const HEARTBEAT_MS = 200;
/** A dead member may be noticed so late that the warehouse has forgotten its batch. */
const NOTICE_MS_MAX = 30_000;
const POLL_MS = 20;

/** The one group of the simulation. */
export class FakeGroup {
  generation = 0;
  /** The topic whose partitions the present generation owns. */
  topicId = -1;
  /** No commit, no word about the group until then. */
  awayUntilMs = 0;
  readonly #world: World;
  readonly #machine: Machine;
  readonly #topic: () => Dealt;
  #members: Member[] = [];
  #rebalancing = false;

  constructor(world: World, machine: Machine, topic: () => Dealt) {
    this.#world = world;
    this.#machine = machine;
    this.#topic = topic;
  }

  /** What a machine owns now. */
  ownedBy(machine: Machine): readonly number[] {
    return this.#members.filter((member) => member.machine === machine).flatMap((member) => member.owned);
  }

  /** A member that leaves when its scope closes. */
  join(machine: Machine, { exclusive = false }: JoinOptions = {}) {
    return Effect.gen({ self: this }, function* () {
      const events = yield* Queue.unbounded<MembershipEvent>();
      const heardAtMs = machine.currentTimeMillisUnsafe();
      const member: Member = {
        ...{ machine, exclusive, heardAtMs, events, owned: [], revoking: false, left: false, lastEventMs: 0 },
      };
      this.#members.push(member);
      if (exclusive) this.#beat(member);
      this.rebalance();
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          member.left = true;
          this.#members = this.#members.filter((other) => other !== member);
          this.rebalance();
        }),
      );
      const released = () =>
        Effect.sync(() => {
          member.revoking = false;
        });
      const heldUntilMs = () =>
        member.owned.length === 0 ? Number.NEGATIVE_INFINITY : member.heardAtMs + HOLDER_SESSION_MS / 2;
      return { events, released, heldUntilMs };
    });
  }

  /** Heartbeats while a machine runs; who was expelled is not heard. */
  #beat(member: Member): void {
    if (member.left) return;
    if (this.#members.includes(member) && this.#world.nowMs >= this.awayUntilMs)
      member.heardAtMs = member.machine.currentTimeMillisUnsafe();
    this.#world.after(member.machine, HEARTBEAT_MS, () => this.#beat(member));
  }

  /** A machine was killed: the group notices after the session time-out, often much later. */
  lose(machine: Machine): void {
    const noticeMs = this.#world.chance(0.6) ? this.#world.below(NOTICE_MS_MAX) : 0;
    this.#world.after(this.#machine, Math.max(this.#sessionMs(machine), noticeMs), () => {
      this.#members = this.#members.filter((member) => member.machine !== machine);
      this.rebalance();
    });
  }

  /** A machine was paused: expelled if it sleeps through the session time-out, a member again when it wakes. */
  expel(machine: Machine): void {
    this.#world.after(this.#machine, this.#sessionMs(machine), () => {
      const gone = this.#members.filter((member) => member.machine === machine && this.#isSilent(member));
      if (gone.length === 0) return;
      this.#members = this.#members.filter((member) => !gone.includes(member));
      this.rebalance();
      this.#world.after(machine, machine.pausedUntilMs - this.#world.nowMs + this.#world.below(1_000), () => {
        const back = gone.filter((member) => !member.left);
        for (const member of back) {
          if (member.exclusive || this.#world.chance(0.5)) this.#revoke(member, member.owned);
          Object.assign(member, { owned: [], revoking: false });
        }
        this.#members.push(...back);
        this.rebalance();
      });
    });
  }

  /** Asks members to release what they lose, waits a session at most, then deals the partitions anew. */
  rebalance(): void {
    if (this.#rebalancing) return;
    this.#rebalancing = true;
    const isAnew = this.#holder() === undefined && this.#world.chance(0.5);
    const plan = isAnew ? new Map<number, Member>() : this.#plan();
    for (const member of this.#members) {
      const lost = member.owned.filter((partition) => plan.get(partition) !== member);
      if (lost.length > 0) this.#revoke(member, lost);
    }
    const startedMs = this.#world.nowMs;
    const settle = () => {
      const isLate = this.#world.nowMs - startedMs >= SESSION_MS;
      const isWaiting = !isLate && this.#members.some((member) => member.revoking);
      if (isWaiting || this.#world.nowMs < this.awayUntilMs)
        return void this.#world.after(this.#machine, POLL_MS, settle);
      this.#rebalancing = false;
      this.#deal(plan);
    };
    this.#world.after(this.#machine, POLL_MS, settle);
  }

  /** Who owns what from now on, when most members keep what they have. */
  #plan(): Map<number, Member> {
    const plan = new Map<number, Member>();
    // Another topic's partitions have only their numbers in common.
    if (this.#topic().topicId !== this.topicId) return plan;
    const holder = this.#holder();
    if (holder !== undefined) return new Map(holder.owned.map((partition) => [partition, holder]));
    for (const member of this.#members)
      for (const partition of member.owned) if (this.#world.chance(0.7)) plan.set(partition, member);
    return plan;
  }

  /** The exclusive member that has the partitions, or is the next to have them. */
  #holder(): Member | undefined {
    const holders = this.#members.filter(({ exclusive }) => exclusive);
    return holders.find(({ owned }) => owned.length > 0) ?? holders[0];
  }

  /** Whether a member sleeps through its session; an exclusive one may have been heard since it was paused. */
  #isSilent({ machine, exclusive, heardAtMs }: Member): boolean {
    return machine.isPaused() && (!exclusive || heardAtMs + HOLDER_SESSION_MS <= this.#world.nowMs);
  }

  #sessionMs(machine: Machine): number {
    const isHolder = this.#members.some((member) => member.machine === machine && member.exclusive);
    return isHolder ? HOLDER_SESSION_MS : SESSION_MS;
  }

  #deal(plan: ReadonlyMap<number, Member>): void {
    const { topicId, partitions } = this.#topic();
    this.generation += 1;
    // Kept partitions are kept only of the topic that they were planned for.
    const kept = topicId === this.topicId ? plan : new Map<number, Member>();
    this.topicId = topicId;
    const shares = new Map(this.#members.map((member) => [member, [] as number[]]));
    for (let partition = 0; partition < partitions && this.#members.length > 0; partition++) {
      const planned = shares.get(this.#holder() ?? (kept.get(partition) as Member));
      const share = planned ?? shares.get(this.#members[this.#world.below(this.#members.length)]);
      share?.push(partition);
    }
    for (const [member, share] of shares) {
      const isKept = member.exclusive && share.length === member.owned.length;
      // Who kept its partitions through the rebalance hears what has gone nonetheless.
      if (member.exclusive)
        this.#tell(
          member,
          member.owned.filter((partition) => !share.includes(partition)),
        );
      member.owned = share;
      member.revoking = false;
      if (isKept) continue;
      // Kafka tells a member without partitions nothing.
      if (share.length > 0 || this.#world.chance(0.5))
        this.#send(member, { kind: "assigned", generation: this.generation, partitions: share });
    }
  }

  #revoke(member: Member, partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    member.revoking = true;
    this.#tell(member, partitions);
  }

  #tell(member: Member, gone: readonly number[]): void {
    if (gone.length > 0) this.#send(member, { kind: "revoked", generation: this.generation, partitions: gone });
  }

  #send(member: Member, event: MembershipEvent): void {
    // One connection: events arrive in the order they were sent.
    member.lastEventMs = Math.max(member.lastEventMs, this.#world.nowMs + 1 + this.#world.below(5));
    this.#world.after(member.machine, member.lastEventMs - this.#world.nowMs, () =>
      member.machine.scheduleTask(() => Queue.offerUnsafe(member.events, event)),
    );
  }
}
