/**
 * Who of a group gets which partitions, and how members write that to each other.
 *
 * Pure. Every leader comes to the same answer, so it does not matter who leads. The format is the one of Kafka's own
 * consumers: https://kafka.apache.org/documentation/#impl_consumer (ConsumerProtocol, version 0).
 *
 * @module
 */
import { AssignerProtocol } from "kafkajs";

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

/** Name of the way in which partitions are shared out; members of one group must have it in common. */
export const PROTOCOL = "weir-even";
const VERSION = 0;
const NO_BYTES = Buffer.alloc(0);

/** What a member wants of a topic: its share, all of it once the others have released it, or to keep all that it has. */
const CLAIMS = ["share", "all", "kept"] as const;
export type Claim = (typeof CLAIMS)[number];

/** A member that wants partitions; `name` says to people where it runs. */
export interface Claimant {
  readonly memberId: string;
  readonly name: string;
  readonly claim: Claim;
}

/**
 * Shares partitions [0, count) out: all to the one that keeps them or wants them all, else evenly, neighbours to
 * different members, the first ones to the least names.
 */
export function shareOut(claimants: readonly Claimant[], count: number): ReadonlyMap<string, readonly number[]> {
  const sorted = claimants.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const only = sorted.find(({ claim }) => claim === "kept") ?? sorted.find(({ claim }) => claim === "all");
  const shares = new Map<string, number[]>(sorted.map(({ memberId }) => [memberId, []]));
  const sharers = only === undefined ? sorted : [only];
  for (let partition = 0; partition < count; partition++)
    shares.get(sharers[partition % sharers.length]!.memberId)!.push(partition);
  return shares;
}

/** What a member says when it joins: the topic it wants, and how. */
export function subscription(topic: string, { name, claim }: Omit<Claimant, "memberId">): Buffer {
  const userData = Buffer.concat([Buffer.of(CLAIMS.indexOf(claim)), Buffer.from(name)]);
  return MemberMetadata.encode({ version: VERSION, topics: [topic], userData });
}

/** What a member said when it joined; who said it in another way wants its share. */
export function decodeSubscription(bytes: Buffer): Omit<Claimant, "memberId"> {
  const userData = bytes.length === 0 ? undefined : MemberMetadata.decode(bytes)?.userData;
  return { claim: CLAIMS[userData?.[0] ?? 0] ?? "share", name: userData?.subarray(1).toString() ?? "" };
}

/** A member's share, as its leader sends it. */
export function encodeShare(topic: string, partitions: readonly number[]): Buffer {
  return MemberAssignment.encode({ version: VERSION, assignment: { [topic]: [...partitions] }, userData: NO_BYTES });
}

/** A member's share, as it came; none if the leader sent nothing. */
export function decodeShare(topic: string, bytes: Buffer): readonly number[] {
  return bytes.length === 0 ? [] : (MemberAssignment.decode(bytes)?.assignment[topic] ?? []);
}
