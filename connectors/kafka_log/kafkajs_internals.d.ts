/**
 * The parts of kafkajs 2.2.4 below its public interface that this log speaks through, and no more of them.
 *
 *   Cluster ──findBroker──▶ Broker ──connectionPool.send──▶ one request, one response
 *
 * @module
 */
declare module "kafkajs/src/cluster/index.js" {
  import type { KafkaConfig, Logger } from "kafkajs";

  export interface WireResponse {
    readonly clientSideThrottleTime?: number;
  }

  export interface WireRequest<A extends WireResponse> {
    readonly request: {
      readonly apiKey: number;
      readonly apiVersion: number;
      readonly apiName: string;
      readonly encode: () => Promise<import("kafkajs/src/protocol/encoder.js").default>;
    };
    readonly response: {
      readonly decode: (payload: Buffer) => Promise<A>;
      readonly parse: (decoded: A) => Promise<A>;
    };
    readonly requestTimeout?: number;
    readonly logResponseError?: boolean;
  }

  export interface Broker {
    readonly nodeId: string;
    readonly connectionPool: { send<A extends WireResponse>(request: WireRequest<A>): Promise<A> };
    syncGroup(ask: {
      groupId: string;
      generationId: number;
      memberId: string;
      groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
    }): Promise<{ memberAssignment: Buffer }>;
    heartbeat(ask: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
    describeGroups(ask: { groupIds: readonly string[] }): Promise<{
      groups: readonly {
        members: readonly { memberId: string; memberMetadata: Buffer; memberAssignment: Buffer }[];
      }[];
    }>;
    initProducerId(ask: { transactionTimeout: number }): Promise<{ producerId: string; producerEpoch: number }>;
    leaveGroup(ask: { groupId: string; memberId: string }): Promise<unknown>;
    offsetFetch(ask: {
      groupId: string;
      topics: readonly { topic: string; partitions: readonly { partition: number }[] }[];
    }): Promise<{
      responses: readonly {
        topic: string;
        partitions: readonly { partition: number; offset: string; metadata: string | null }[];
      }[];
    }>;
  }

  export default class Cluster {
    constructor(
      options: Omit<KafkaConfig, "logLevel" | "logCreator"> & {
        readonly logger: Logger;
        readonly allowAutoTopicCreation: boolean;
        readonly metadataMaxAge: number;
      },
    );
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    refreshMetadata(): Promise<void>;
    isConnected(): boolean;
    getNodeIds(): readonly string[];
    findBroker(of: { readonly nodeId: number | string }): Promise<Broker>;
    findGroupCoordinator(of: { readonly groupId: string }): Promise<Broker>;
  }
}

declare module "kafkajs/src/network/socketFactory.js" {
  import type { ISocketFactory } from "kafkajs";
  export default function socketFactory(): ISocketFactory;
}

declare module "kafkajs/src/network/connection.js" {
  import type { Socket } from "node:net";

  export default class Connection {
    connectionStatus: "connected" | "disconnecting" | "disconnected";
    readonly socket: Socket | null;
    /** Milliseconds. */
    readonly connectionTimeout: number;
    /** What came of the answer that is not whole yet. */
    chunks: Buffer[];
    bytesBuffered: number;
    bytesNeeded: number;
    isConnected(): boolean;
    connect(): Promise<true>;
    /** Called when the connection has broken, and nowhere else. */
    rejectRequests(error: Error): void;
    disconnect(): Promise<true>;
  }
}

declare module "kafkajs/src/network/requestQueue/index.js" {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    readonly throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  }
}

declare module "kafkajs/src/protocol/encoder.js" {
  export default class Encoder {
    readonly buffer: Buffer;
    writeInt8(value: number): this;
    writeInt16(value: number): this;
    writeInt32(value: number): this;
    writeInt64(value: number): this;
    writeBoolean(value: boolean): this;
    writeBytes(value: Buffer): this;
    writeString(value: string | null): this;
    writeArray(values: readonly (Encoder | number | string)[]): this;
    writeUVarInt(value: number): this;
    writeUVarIntString(value: string | null): this;
  }
}

declare module "kafkajs/src/protocol/decoder.js" {
  export default class Decoder {
    constructor(bytes: Buffer);
    readInt8(): number;
    readInt16(): number;
    readInt32(): number;
    readInt64(): { toString(): string };
    readBoolean(): boolean;
    readString(): string | null;
    readBytes(length?: number): Buffer | null;
    readArray<A>(read: (decoder: Decoder) => A): A[];
    readUVarIntString(): string | null;
    readUVarIntArray<A>(read: (decoder: Decoder) => A): A[] | null;
    readTaggedFields(): unknown;
  }
}

declare module "kafkajs/src/protocol/error.js" {
  const errors: { createErrorFromCode(code: number): Error & { readonly type: string; readonly retriable: boolean } };
  export default errors;
}
