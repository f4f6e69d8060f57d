/**
 * A fake consumer group: members, generations, and every way of dealing partitions out.
 *
 *   join · leave · expelled · partitions added · topic gone ──▶ rebalance: revoked ──released, or too late──▶
 *        generation + 1 ──▶ assigned
 *
 * A rebalance revokes from everybody everything (as Kafka's classic protocol),
 * or only what moves while the others stay. A member that is dead or paused is
 * expelled after the session time-out; when it wakes it still believes in its
 * old generation. While the coordinator is away nothing of this goes on.
 *
 * @module
 */
import type { MembershipEvent } from "@weir/connectors";
import { Effect, Queue } from "effect";
import type { Machine, World } from "./world.ts";

interface Member {
  readonly machine: Machine;
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
  join(machine: Machine) {
    return Effect.gen({ self: this }, function* () {
      const events = yield* Queue.unbounded<MembershipEvent>();
      const member: Member = { machine, events, owned: [], revoking: false, left: false, lastEventMs: 0 };
      this.#members.push(member);
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
      return { events, released, heldUntilMs: () => Number.NEGATIVE_INFINITY };
    });
  }

  /** A machine was killed: the group notices after the session time-out, often much later. */
  lose(machine: Machine): void {
    const noticeMs = this.#world.chance(0.6) ? this.#world.below(NOTICE_MS_MAX) : 0;
    this.#world.after(this.#machine, Math.max(SESSION_MS, noticeMs), () => {
      this.#members = this.#members.filter((member) => member.machine !== machine);
      this.rebalance();
    });
  }

  /** A machine was paused: expelled if it sleeps through the session time-out, a member again when it wakes. */
  expel(machine: Machine): void {
    this.#world.after(this.#machine, SESSION_MS, () => {
      const gone = this.#members.filter((member) => member.machine === machine && machine.isPaused());
      if (gone.length === 0) return;
      this.#members = this.#members.filter((member) => !gone.includes(member));
      this.rebalance();
      this.#world.after(machine, machine.pausedUntilMs - this.#world.nowMs + this.#world.below(1_000), () => {
        const back = gone.filter((member) => !member.left);
        for (const member of back) {
          if (this.#world.chance(0.5)) this.#revoke(member, member.owned);
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
    const plan = this.#world.chance(0.5) ? new Map<number, Member>() : this.#plan();
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
    for (const member of this.#members)
      for (const partition of member.owned) if (this.#world.chance(0.7)) plan.set(partition, member);
    return plan;
  }

  #deal(plan: ReadonlyMap<number, Member>): void {
    const { topicId, partitions } = this.#topic();
    this.generation += 1;
    // Kept partitions are kept only of the topic that they were planned for.
    const kept = topicId === this.topicId ? plan : new Map<number, Member>();
    this.topicId = topicId;
    const shares = new Map(this.#members.map((member) => [member, [] as number[]]));
    for (let partition = 0; partition < partitions && this.#members.length > 0; partition++) {
      const planned = shares.get(kept.get(partition) as Member);
      const share = planned ?? shares.get(this.#members[this.#world.below(this.#members.length)]);
      share?.push(partition);
    }
    for (const [member, share] of shares) {
      member.owned = share;
      member.revoking = false;
      // Kafka tells a member without partitions nothing.
      if (share.length > 0 || this.#world.chance(0.5))
        this.#send(member, { kind: "assigned", generation: this.generation, partitions: share });
    }
  }

  #revoke(member: Member, partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    member.revoking = true;
    this.#send(member, { kind: "revoked", generation: this.generation, partitions });
  }

  #send(member: Member, event: MembershipEvent): void {
    // One connection: events arrive in the order they were sent.
    member.lastEventMs = Math.max(member.lastEventMs, this.#world.nowMs + 1 + this.#world.below(5));
    this.#world.after(member.machine, member.lastEventMs - this.#world.nowMs, () =>
      member.machine.scheduleTask(() => Queue.offerUnsafe(member.events, event)),
    );
  }
}
