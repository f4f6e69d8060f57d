/**
 * This process's members of consumer groups, and what groups have committed.
 *
 *   join ──▶ Member (a connection of its own) ──▶ coordinator
 *   commit(generation) ──the member that holds it──▶ its partitions' commits in one request
 *
 * A generation that no member here holds is an older one: nothing could be committed under it.
 *
 * @module
 */
import type { Broker, default as Cluster } from "kafkajs/src/cluster/index.js";
import type { Commit, CommitAnswer, Member as LogMember } from "../log.ts";
import { decodeShare, decodeSubscription } from "./assignment.ts";
import type { Catalog } from "./catalog.ts";
import type { Clients } from "./client.ts";
import { unavailable, unknownTopic } from "./failures.ts";
import { Member } from "./member.ts";

/** At most this many bytes of metadata per commit, unless the brokers are told otherwise. */
const METADATA_BYTES_MAX = 4_096;
const FENCED = new Set(["ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "FENCED_INSTANCE_ID"]);

export class Groups {
  readonly #clients: Clients;
  readonly #catalog: Catalog;
  readonly #cluster: Cluster;
  readonly #members = new Set<Member>();
  /** By group; forgotten when one does not answer. */
  readonly #coordinators = new Map<string, Broker>();

  constructor(parts: { readonly clients: Clients; readonly catalog: Catalog; readonly cluster: Cluster }) {
    this.#clients = parts.clients;
    this.#catalog = parts.catalog;
    this.#cluster = parts.cluster;
  }

  /** Throws LogFailed("unknown topic"). */
  async find(topic: string): Promise<void> {
    await this.#catalog.topic(topic);
  }

  /** Adds a member, which takes part from now on. */
  join(of: Pick<Member, "group" | "topic" | "exclusive">, events: Member["events"]): Member {
    const member = new Member(of, { clients: this.#clients, catalog: this.#catalog, events });
    this.#members.add(member);
    member.start();
    return member;
  }

  async leave(member: Member): Promise<void> {
    this.#members.delete(member);
    await member.leave(this.#cluster);
  }

  /** Leaves every group. */
  async close(): Promise<void> {
    await Promise.all([...this.#members].map((member) => this.leave(member)));
  }

  /** Commits what the generation's owner may commit, in one request. */
  async commit(
    of: { readonly group: string; readonly topic: string; readonly generation: number },
    commits: readonly Commit[],
  ): Promise<readonly CommitAnswer[]> {
    const id = (await this.#catalog.now(of.topic))?.id;
    if (id === undefined) throw unknownTopic(of.topic);
    const member = [...this.#members].find(
      ({ group, topic, generation }) => group === of.group && topic === of.topic && generation === of.generation,
    );
    // What was read since may be of another topic of that name.
    const isAnew = member !== undefined && member.topicId !== id;
    if (isAnew) this.#catalog.stale();
    const refused = new Map(commits.map((one) => [one.partition, isAnew ? "fenced" : refusal(member, one)]));
    const admitted = commits.filter(({ partition }) => refused.get(partition) === undefined);
    const answers = admitted.length === 0 ? undefined : await member!.commit(admitted);
    return commits.map(({ partition }) => {
      const here = refused.get(partition);
      if (here !== undefined) return { partition, error: here };
      if (answers?.has(partition) !== true) throw unavailable("Kafka left out a partition");
      return { partition, error: this.#answer(member, answers.get(partition)) };
    });
  }

  /** The commits of a group on a topic; what is not committed is left out. */
  async committed(of: { readonly group: string; readonly topic: string }): Promise<readonly Commit[]> {
    const { group: groupId, topic } = of;
    const { leaders } = await this.#catalog.topic(topic);
    const partitions = leaders.map((_, partition) => ({ partition }));
    const { responses } = await this.#ask(groupId, (coordinator) =>
      coordinator.offsetFetch({ groupId, topics: [{ topic, partitions }] }),
    );
    return responses
      .flatMap((response) => response.partitions)
      .map(({ partition, offset, metadata }) => ({ partition, offset: Number(offset), metadata: metadata ?? "" }))
      .filter(({ offset }) => offset >= 0)
      .sort((a, b) => a.partition - b.partition);
  }

  /** The members of a group, as its coordinator knows them. */
  async members(of: { readonly group: string; readonly topic: string }): Promise<readonly LogMember[]> {
    const { groups } = await this.#ask(of.group, (coordinator) => coordinator.describeGroups({ groupIds: [of.group] }));
    return groups.flatMap(({ members }) =>
      members.map(({ memberMetadata, memberAssignment }) => ({
        name: decodeSubscription(memberMetadata).name,
        partitions: decodeShare(of.topic, memberAssignment),
      })),
    );
  }

  async #ask<A>(groupId: string, call: (coordinator: Broker) => Promise<A>): Promise<A> {
    const known = this.#coordinators.get(groupId) ?? (await this.#cluster.findGroupCoordinator({ groupId }));
    this.#coordinators.set(groupId, known);
    try {
      return await call(known);
    } catch (error) {
      this.#coordinators.delete(groupId);
      throw error;
    }
  }

  #answer(member: Member | undefined, error: string | undefined): CommitAnswer["error"] {
    if (error === undefined) return undefined;
    if (FENCED.has(error)) return "fenced";
    if (error === "OFFSET_METADATA_TOO_LARGE") return "metadata too large";
    member?.lostCoordinator();
    throw unavailable(`Kafka could not commit (${error})`);
  }
}

function refusal(member: Member | undefined, { partition, metadata }: Commit): CommitAnswer["error"] {
  if (member === undefined) return "fenced";
  if (!member.partitions.includes(partition)) return "not owned";
  if (metadata.length * 3 > METADATA_BYTES_MAX && Buffer.byteLength(metadata) > METADATA_BYTES_MAX)
    return "metadata too large";
  return undefined;
}
