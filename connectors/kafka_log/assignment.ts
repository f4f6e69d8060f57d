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

/** Shares partitions [0, count) out evenly: neighbours to different members, the first ones to the least names. */
export function shareOut(memberIds: readonly string[], count: number): ReadonlyMap<string, readonly number[]> {
  const members = memberIds.toSorted();
  const shares = new Map<string, number[]>(members.map((member) => [member, []]));
  for (let partition = 0; partition < count; partition++)
    shares.get(members[partition % members.length]!)!.push(partition);
  return shares;
}

/** What a member says when it joins: the topic it wants. */
export function subscription(topic: string): Buffer {
  return MemberMetadata.encode({ version: VERSION, topics: [topic], userData: NO_BYTES });
}

/** A member's share, as its leader sends it. */
export function encodeShare(topic: string, partitions: readonly number[]): Buffer {
  return MemberAssignment.encode({ version: VERSION, assignment: { [topic]: [...partitions] }, userData: NO_BYTES });
}

/** A member's share, as it came; none if the leader sent nothing. */
export function decodeShare(topic: string, bytes: Buffer): readonly number[] {
  return bytes.length === 0 ? [] : (MemberAssignment.decode(bytes)?.assignment[topic] ?? []);
}
