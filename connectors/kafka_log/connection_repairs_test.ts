/**
 * Repairs of kafkajs's connections, against a broker that breaks them.
 *
 * @module
 */
import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { Clients } from "./client.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A broker that answers by script: what its n-th connection does with each request's correlation id. */
async function brokerThat(...does: readonly ((socket: Socket, correlation: number, at: number) => void)[]) {
  let connections = 0;
  const server = createServer((socket) => {
    const answer = does[Math.min(connections++, does.length - 1)]!;
    socket.on("error", () => {}); // it is the one that breaks it
    socket.on("data", (bytes: Buffer) => answer(socket, bytes.readInt32BE(8), bytes.readInt16BE(4)));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const clients = new Clients({ brokers: [`127.0.0.1:${port}`] });
  return { clients, connections: () => connections };
}

const API_VERSIONS = 18;
const METADATA = 3;

/** Answers ApiVersions with Metadata v0 alone, and Metadata with no broker and no topic. */
function honest(socket: Socket, correlation: number, at: number): void {
  const versions = Buffer.alloc(2 + 4 + 2 * 6);
  versions.writeInt32BE(2, 2);
  versions.writeInt16BE(METADATA, 6);
  versions.writeInt16BE(API_VERSIONS, 12);
  const body = at === API_VERSIONS ? versions : Buffer.alloc(8);
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length);
  head.writeInt32BE(correlation, 4);
  socket.write(Buffer.concat([head, body]));
}

describe("a connection", () => {
  test("begins with empty buffers after one that broke in the middle of an answer", async () => {
    let asked = 0;
    const torn = (socket: Socket, correlation: number, at: number) => {
      if (at === API_VERSIONS || asked++ === 0) return honest(socket, correlation, at);
      // a hundred bytes are promised
      socket.write(Buffer.from([0, 0, 0, 100, 0, 0, 0]), () => socket.resetAndDestroy());
    };
    const { clients, connections } = await brokerThat(torn, honest);
    const cluster = await clients.cluster();
    await expect(cluster.refreshMetadata()).rejects.toThrow();
    await cluster.refreshMetadata();
    expect([connections(), cluster.getNodeIds()]).toEqual([2, []]);
    await cluster.disconnect();
  });
});
