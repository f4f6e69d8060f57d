/**
 * The requests that kafkajs does not know, or answers in too little detail.
 *
 *   Metadata v12 (ids of topics) · Fetch v11 (records undecoded) · Produce v7 (batches as they are made; an error for
 *   each partition) · OffsetCommit v7 (an error for each partition)
 *   · JoinGroup v5 (says the member's id before it waits) · IncrementalAlterConfigs v0 (leaves other settings alone)
 *
 * Each function is one request and its answer, field for field: https://kafka.apache.org/protocol
 *
 * @module
 */
import type { Broker, WireResponse } from "kafkajs/src/cluster/index.js";
import Decoder from "kafkajs/src/protocol/decoder.js";
import Encoder from "kafkajs/src/protocol/encoder.js";
import protocolErrors from "kafkajs/src/protocol/error.js";
import type { Aborted } from "./record_batch.ts";

const API = { produce: 0, fetch: 1, metadata: 3, offsetCommit: 8, joinGroup: 11, incrementalAlterConfigs: 44 } as const;
/** The log is read by clients: replicas have numbers from 0. */
const CLIENT = -1;
const NONE = -1;
const READ_COMMITTED = 1;
const ALL_IN_SYNC = -1;
const TOPIC_RESOURCE = 2;
const SET = 0;
const UUID_BYTES = 16;

type BrokerError = Error & { readonly type: string };

/** An error that the broker answered with, as kafkajs makes it; undefined for success. */
function brokerError(code: number): BrokerError | undefined {
  return code === 0 ? undefined : protocolErrors.createErrorFromCode(code);
}

/** The protocol's name of an error's number; undefined for success. */
export function errorOf(code: number): string | undefined {
  return brokerError(code)?.type;
}

/** Throws the error that the broker answered with, if there is one. */
export function raise(code: number): void {
  const error = brokerError(code);
  if (error !== undefined) throw error;
}

function send<A extends WireResponse>(
  broker: Broker,
  ask: { name: keyof typeof API; version: number; body: Encoder; waitMs?: number },
  read: (answer: Decoder) => A,
): Promise<A> {
  return broker.connectionPool.send({
    request: {
      ...{ apiKey: API[ask.name], apiVersion: ask.version },
      // kafkajs tells a fetch by this name
      apiName: ask.name === "fetch" ? "Fetch" : ask.name,
      encode: async () => ask.body,
    },
    response: { decode: async (payload) => read(new Decoder(payload)), parse: async (answer) => answer },
    logResponseError: false,
    ...(ask.waitMs === undefined ? {} : { requestTimeout: ask.waitMs }),
  });
}

/** A topic as the brokers know it. */
export interface TopicMetadata {
  readonly name: string;
  readonly id: string;
  readonly isInternal: boolean;
  /** In order of their numbers; the leader is -1 while there is none. */
  readonly leaders: readonly number[];
}

/** Every topic, or the one that is named, if it is there. */
export async function askMetadata(broker: Broker, name?: string): Promise<readonly TopicMetadata[]> {
  const body = new Encoder().writeInt8(0);
  if (name === undefined) body.writeUVarInt(0);
  else body.writeUVarInt(2).writeInt64(0).writeInt64(0).writeUVarIntString(name).writeInt8(0);
  body.writeBoolean(false).writeBoolean(false).writeInt8(0);
  const { topics } = await send(broker, { name: "metadata", version: 12, body }, (answer) => {
    answer.readTaggedFields();
    const clientSideThrottleTime = answer.readInt32();
    answer.readUVarIntArray(skipBroker);
    answer.readUVarIntString(); // the cluster's id
    answer.readInt32(); // the controller
    return { clientSideThrottleTime, topics: answer.readUVarIntArray(readTopic) ?? [] };
  });
  return topics.flatMap((topic) => topic ?? []);
}

function skipBroker(answer: Decoder): void {
  answer.readInt32();
  answer.readUVarIntString();
  answer.readInt32();
  answer.readUVarIntString();
  answer.readTaggedFields();
}

function readTopic(answer: Decoder): TopicMetadata | undefined {
  const error = errorOf(answer.readInt16());
  const name = answer.readUVarIntString();
  const id = uuidOf(answer.readBytes(UUID_BYTES)!);
  const isInternal = answer.readBoolean();
  const leaders: number[] = [];
  answer.readUVarIntArray(() => {
    answer.readInt16(); // its error is that there is no leader, which the leader says as well
    const partition = answer.readInt32();
    leaders[partition] = answer.readInt32();
    answer.readInt32(); // the leader's epoch
    for (let lists = 0; lists < 3; lists++) answer.readUVarIntArray((numbers) => numbers.readInt32());
    answer.readTaggedFields();
  });
  answer.readInt32(); // what the user may do
  answer.readTaggedFields();
  if (name === null || (error !== undefined && error !== "LEADER_NOT_AVAILABLE")) return undefined;
  return { name, id, isInternal, leaders };
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** What to fetch of one partition. */
export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
}

/** What a broker answered for one partition; `records` are whole batches, but for the last one. */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly error: string | undefined;
  readonly aborted: readonly Aborted[];
  /** Where what can be read ends; -1 if the broker did not say. */
  readonly readableTo: number;
  readonly records: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Fetches from partitions that this broker leads; answers when one has records, or after `waitMs`. */
export async function askFetch(
  broker: Broker,
  ask: { readonly partitions: readonly FetchPartition[]; readonly waitMs: number; readonly bytesMax: number },
): Promise<readonly FetchedPartition[]> {
  const body = new Encoder()
    .writeInt32(CLIENT)
    .writeInt32(ask.waitMs)
    .writeInt32(1)
    .writeInt32(ask.bytesMax)
    .writeInt8(READ_COMMITTED)
    .writeInt32(0)
    .writeInt32(NONE) // no session: the partitions differ from fetch to fetch
    .writeArray(ask.partitions.map(fetchTopic))
    .writeArray([])
    .writeString("");
  const name = "fetch";
  const { topics } = await send(broker, { name, version: 11, body, waitMs: ask.waitMs + 30_000 }, (answer) => {
    const clientSideThrottleTime = answer.readInt32();
    raise(answer.readInt16());
    answer.readInt32(); // the session
    return { clientSideThrottleTime, topics: answer.readArray(readFetched) };
  });
  return topics.flat();
}

function fetchTopic({ topic, partition, offset, bytesMax }: FetchPartition): Encoder {
  const one = new Encoder().writeInt32(partition).writeInt32(NONE).writeInt64(offset).writeInt64(NONE);
  return new Encoder().writeString(topic).writeArray([one.writeInt32(bytesMax)]);
}

function readFetched(answer: Decoder): FetchedPartition[] {
  const topic = answer.readString()!;
  return answer.readArray(() => {
    const partition = answer.readInt32();
    const error = errorOf(answer.readInt16());
    answer.readInt64(); // the high watermark
    const readableTo = Number(answer.readInt64().toString()); // the last stable offset
    answer.readInt64(); // the first offset
    const aborted = answer.readArray(() => ({
      producerId: BigInt(answer.readInt64().toString()),
      firstOffset: Number(answer.readInt64().toString()),
    }));
    answer.readInt32(); // a replica that would rather be read
    return { topic, partition, error, aborted, readableTo, records: answer.readBytes() ?? NO_BYTES };
  });
}

/** Batches for partitions of one topic. */
export interface ProduceTopic {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly batch: Buffer }[];
}

/** What became of one partition's batch: the offset of its first record, or an error. */
export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly error: BrokerError | undefined;
  readonly base: number;
}

/** Stores batches in partitions that this broker leads; answers when all replicas in sync have them. */
export async function askProduce(
  broker: Broker,
  ask: { readonly topics: readonly ProduceTopic[]; readonly waitMs: number },
): Promise<readonly ProducedPartition[]> {
  const topics = ask.topics.map(({ topic, partitions }) =>
    new Encoder()
      .writeString(topic)
      .writeArray(partitions.map(({ partition, batch }) => new Encoder().writeInt32(partition).writeBytes(batch))),
  );
  const body = new Encoder()
    .writeString(null) // no transaction
    .writeInt16(ALL_IN_SYNC)
    .writeInt32(ask.waitMs)
    .writeArray(topics);
  const answered = await send(broker, { name: "produce", version: 7, body }, (answer) => {
    const produced = answer.readArray(readProduced);
    return { clientSideThrottleTime: answer.readInt32(), topics: produced };
  });
  return answered.topics.flat();
}

function readProduced(answer: Decoder): ProducedPartition[] {
  const topic = answer.readString()!;
  return answer.readArray(() => {
    const partition = answer.readInt32();
    const error = brokerError(answer.readInt16());
    const base = Number(answer.readInt64().toString());
    answer.readInt64(); // when it was appended, if the log says that
    answer.readInt64(); // the first offset
    return { topic, partition, error, base };
  });
}

/** A rebalance's outcome for one member; only the leader hears of the others. */
export interface JoinedGroup {
  readonly generation: number;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

/** Joins a group, and waits for the others; who has no id yet only gets one, as a text. */
export async function askJoin(
  broker: Broker,
  ask: {
    readonly group: string;
    readonly memberId: string;
    readonly sessionMs: number;
    readonly rebalanceMs: number;
    readonly protocol: { readonly name: string; readonly metadata: Buffer };
  },
): Promise<JoinedGroup | string> {
  const { name, metadata } = ask.protocol;
  const body = new Encoder()
    .writeString(ask.group)
    .writeInt32(ask.sessionMs)
    .writeInt32(ask.rebalanceMs)
    .writeString(ask.memberId)
    .writeString(null) // not a static member
    .writeString("consumer")
    .writeArray([new Encoder().writeString(name).writeBytes(metadata)]);
  const waitMs = ask.rebalanceMs + 10_000;
  const { error, ...joined } = await send(broker, { name: "joinGroup", version: 5, body, waitMs }, (answer) => {
    const clientSideThrottleTime = answer.readInt32();
    const error = answer.readInt16();
    const generation = answer.readInt32();
    answer.readString(); // the protocol, of which there is one
    const leaderId = answer.readString() ?? "";
    const memberId = answer.readString() ?? "";
    const members = answer.readArray(() => {
      const id = answer.readString() ?? "";
      answer.readString(); // the instance
      return { memberId: id, memberMetadata: answer.readBytes() ?? Buffer.alloc(0) };
    });
    return { clientSideThrottleTime, error, generation, leaderId, memberId, members };
  });
  if (errorOf(error) === "MEMBER_ID_REQUIRED") return joined.memberId;
  raise(error);
  return joined;
}

/** Commits offsets under a member's generation; answers each partition's error. */
export async function askCommit(
  broker: Broker,
  ask: {
    readonly group: string;
    readonly generation: number;
    readonly memberId: string;
    readonly topic: string;
    readonly commits: readonly { readonly partition: number; readonly offset: number; readonly metadata: string }[];
  },
): Promise<ReadonlyMap<number, string | undefined>> {
  const commits = ask.commits.map(({ partition, offset, metadata }) =>
    new Encoder().writeInt32(partition).writeInt64(offset).writeInt32(NONE).writeString(metadata),
  );
  const body = new Encoder()
    .writeString(ask.group)
    .writeInt32(ask.generation)
    .writeString(ask.memberId)
    .writeString(null) // not a static member
    .writeArray([new Encoder().writeString(ask.topic).writeArray(commits)]);
  const { topics } = await send(broker, { name: "offsetCommit", version: 7, body }, (answer) => ({
    clientSideThrottleTime: answer.readInt32(),
    topics: answer.readArray(() => {
      answer.readString();
      return answer.readArray(() => [answer.readInt32(), errorOf(answer.readInt16())] as const);
    }),
  }));
  return new Map(topics.flat());
}

/** Sets some of a topic's settings. */
export async function askAlter(
  broker: Broker,
  ask: { readonly topic: string; readonly settings: Readonly<Record<string, string>> },
): Promise<void> {
  const settings = Object.entries(ask.settings).map(([name, value]) =>
    new Encoder().writeString(name).writeInt8(SET).writeString(value),
  );
  const topic = new Encoder().writeInt8(TOPIC_RESOURCE).writeString(ask.topic).writeArray(settings);
  const body = new Encoder().writeArray([topic]).writeBoolean(false);
  await send(broker, { name: "incrementalAlterConfigs", version: 0, body }, (answer) => {
    const clientSideThrottleTime = answer.readInt32();
    answer.readArray(() => {
      raise(answer.readInt16());
      answer.readString();
      answer.readInt8();
      answer.readString();
    });
    return { clientSideThrottleTime };
  });
}
