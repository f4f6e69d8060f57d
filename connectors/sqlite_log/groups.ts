/**
 * Consumer groups inside one process: the newest member of a group owns every partition, unless one holds them all.
 *
 *   idle ──join──▶ revoking ──released, left or too late──▶ taking ──generation kept──▶ owned
 *     ▲               ▲                                                                  │
 *     └──nobody left──┴──────────── join, leave, partitions added, topic deleted ────────┘
 *
 * The generation is raised in the file before a member hears `assigned`. While a
 * member is being revoked it may still commit; once it has released, or after
 * `releaseMsMax`, its generation is fenced.
 *
 * @module
 */
import { Queue } from "effect";
import type { Commit, CommitAnswer, LogFailed, MembershipEvent } from "../log.ts";
import type { Catalog } from "./catalog.ts";
import type { StoredCommit } from "./protocol.ts";

/** At most this many bytes of metadata per commit, as on Kafka. */
const METADATA_BYTES_MAX = 4_096;
const RETRY_MS = 200;

/** One member; its events end when it leaves. */
export interface Member {
  readonly events: Queue.Queue<MembershipEvent>;
  readonly exclusive: boolean;
  left: boolean;
}

interface Group {
  readonly name: string;
  readonly topic: string;
  /** Oldest first. */
  members: Member[];
  /** Who owns `partitions` under `generation`. */
  owner: Member | undefined;
  topicId: string;
  generation: number;
  partitions: readonly number[];
  state: "settled" | "revoking" | "taking";
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Takes a new generation from the file, after everything queued before. */
export type NextGeneration = (done: (failure: LogFailed | undefined, generation: number) => void) => void;

export class Groups {
  #catalog: Catalog;
  #nextGeneration: NextGeneration;
  #releaseMsMax: number;
  #groups = new Map<string, Group>();

  constructor(catalog: Catalog, nextGeneration: NextGeneration, options: { readonly releaseMsMax: number }) {
    this.#catalog = catalog;
    this.#nextGeneration = nextGeneration;
    this.#releaseMsMax = options.releaseMsMax;
  }

  /** Adds a member, to which all partitions go. */
  join(name: string, topic: string, { events, exclusive }: Pick<Member, "events" | "exclusive">): Member {
    const member: Member = { events, exclusive, left: false };
    const group = this.#group(name, topic);
    group.members.push(member);
    this.#settle(group);
    return member;
  }

  /** Whether a member owns the partitions now. */
  isOwner(name: string, topic: string, member: Member): boolean {
    const group = this.#groups.get(keyOf(name, topic));
    return group?.owner === member && group.state === "settled";
  }

  /** The partitions that are owned now. */
  owned(name: string, topic: string): readonly number[] {
    return this.#groups.get(keyOf(name, topic))?.partitions ?? [];
  }

  /** The member stopped working on these partitions. */
  released(
    name: string,
    topic: string,
    { member, partitions }: { member: Member; partitions: readonly number[] },
  ): void {
    const group = this.#group(name, topic);
    if (group.owner !== member || group.state !== "revoking") return;
    group.partitions = group.partitions.filter((partition) => !partitions.includes(partition));
    if (group.partitions.length === 0) this.#disown(group);
  }

  /** The member's scope closed. */
  leave(name: string, topic: string, member: Member): void {
    const group = this.#group(name, topic);
    member.left = true;
    Queue.shutdownUnsafe(member.events);
    group.members = group.members.filter((other) => other !== member);
    if (group.owner === member) this.#disown(group);
    if (group.members.length === 0 && group.state === "settled") this.#groups.delete(keyOf(name, topic));
  }

  /** Looks at every group again, after topics changed. */
  topicsChanged(): void {
    for (const group of this.#groups.values()) this.#settle(group);
  }

  /** Ends every member's events. */
  close(): void {
    for (const group of this.#groups.values()) {
      clearTimeout(group.timer);
      for (const member of group.members) Queue.shutdownUnsafe(member.events);
      group.members = [];
    }
    this.#groups.clear();
  }

  /** Sorts commits into those which may be stored and the answers of all. */
  admit(
    of: { readonly group: string; readonly topic: string; readonly generation: number },
    commits: readonly Commit[],
  ): { readonly answers: readonly CommitAnswer[]; readonly admitted: readonly StoredCommit[] } {
    const group = this.#groups.get(keyOf(of.group, of.topic));
    const admitted: StoredCommit[] = [];
    const answers = commits.map(({ partition, offset, metadata }): CommitAnswer => {
      // What was read since may be of another topic of that name.
      const isAnew = group !== undefined && group.topicId !== this.#catalog.topic(of.topic)?.info.id;
      const error = isAnew ? "fenced" : refusal(group, of.generation, { partition, metadata });
      if (error === undefined) {
        admitted.push({ group: of.group, topicId: group!.topicId, partition, offset, metadata });
      }
      return { partition, error };
    });
    return { answers, admitted };
  }

  #group(name: string, topic: string): Group {
    const key = keyOf(name, topic);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = {
        ...{ name, topic, members: [], owner: undefined, topicId: "", generation: 0, partitions: [] },
        ...{ state: "settled", timer: undefined },
      };
      this.#groups.set(key, group);
    }
    return group;
  }

  /** Starts whatever is missing until the newest member owns all partitions. */
  #settle(group: Group): void {
    if (group.state !== "settled") return; // it looks again when it is done
    const topic = this.#catalog.topic(group.topic);
    const chosen = chosenOf(group);
    const count = topic?.partitions.length ?? 0;
    if (group.owner !== undefined) {
      const asItShouldBe =
        group.owner === chosen && group.topicId === topic?.info.id && group.partitions.length === count;
      const onlyGrew = group.owner === chosen && chosen.exclusive && group.topicId === topic?.info.id;
      if (onlyGrew) this.#give(group, topic.partitions.length);
      else if (!asItShouldBe) this.#revoke(group, group.owner);
    } else if (chosen !== undefined && topic !== undefined) this.#take(group, chosen, topic.info.id);
  }

  /** The one that holds everything holds added partitions as well. */
  #give(group: Group, count: number): void {
    if (group.partitions.length === count) return;
    group.partitions = Array.from({ length: count }, (_, partition) => partition);
    const { generation, partitions } = group;
    Queue.offerUnsafe(group.owner!.events, { kind: "assigned", generation, partitions });
  }

  #revoke(group: Group, owner: Member): void {
    group.state = "revoking";
    const { generation, partitions } = group;
    Queue.offerUnsafe(owner.events, { kind: "revoked", generation, partitions });
    group.timer = setTimeout(() => this.#disown(group), this.#releaseMsMax);
    group.timer.unref();
  }

  #disown(group: Group): void {
    clearTimeout(group.timer);
    group.owner = undefined;
    group.partitions = [];
    group.state = "settled";
    this.#settle(group);
  }

  #take(group: Group, member: Member, topicId: string): void {
    group.state = "taking";
    this.#nextGeneration((failure, generation) => {
      if (failure !== undefined) {
        group.timer = setTimeout(() => {
          group.state = "settled";
          this.#settle(group);
        }, RETRY_MS);
        group.timer.unref();
        return;
      }
      group.state = "settled";
      const topic = this.#catalog.topic(group.topic);
      if (!member.left && topic?.info.id === topicId && chosenOf(group) === member) {
        group.owner = member;
        group.topicId = topicId;
        group.generation = generation;
        group.partitions = topic.partitions.map(({ partition }) => partition);
        Queue.offerUnsafe(member.events, { kind: "assigned", generation, partitions: group.partitions });
      }
      this.#settle(group);
    });
  }
}

/** Who is to own the partitions: who holds them, or waits longest to hold them, else the newest member. */
function chosenOf({ members }: Group): Member | undefined {
  return members.find(({ exclusive }) => exclusive) ?? members.at(-1);
}

function refusal(
  group: Group | undefined,
  generation: number,
  commit: { readonly partition: number; readonly metadata: string },
): CommitAnswer["error"] {
  if (group?.owner === undefined || group.generation !== generation) return "fenced";
  if (!group.partitions.includes(commit.partition)) return "not owned";
  const { metadata } = commit;
  if (metadata.length * 3 > METADATA_BYTES_MAX && Buffer.byteLength(metadata) > METADATA_BYTES_MAX) {
    return "metadata too large";
  }
  return undefined;
}

function keyOf(name: string, topic: string): string {
  return `${name}\n${topic}`;
}
