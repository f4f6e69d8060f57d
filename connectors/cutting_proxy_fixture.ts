/**
 * A wire to a broker that is cut on purpose: after a request of one kind has arrived, and before its answer is heard.
 *
 *   client ──bytes──▶ proxy ──bytes──▶ broker          broker ──answer──▶ proxy ──▶ client, or both ends closed
 *
 * Of the protocol it knows frames (a length of 4 bytes) and a request's kind (the 2 bytes behind it).
 *
 * @module
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

const PRODUCE = 0;
const LENGTH_BYTES = 4;

/** A port that stands for a broker. */
export interface CuttingProxy {
  readonly port: number;
  /** Where it leads; known once the broker has started. */
  target: number;
  /** Says of each answer to an append whether it is lost with its connection. */
  cuts: () => boolean;
  readonly close: () => void;
}

/** Opens a port that cuts nothing yet. */
export async function openCuttingProxy(): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => join(client));
  const join = (client: Socket) => {
    const broker = connect(proxy.target, "127.0.0.1");
    const kinds = new Kinds();
    const end = () => {
      for (const socket of [client, broker]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on("error", end).on("close", end);
    }
    client.on("data", (bytes: Buffer) => {
      kinds.pass(bytes);
      broker.write(bytes);
    });
    broker.on("data", (bytes) => {
      if (kinds.last === PRODUCE && proxy.cuts()) end();
      else client.write(bytes);
    });
  };
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const proxy: CuttingProxy = { port: (server.address() as AddressInfo).port, target: 0, cuts: () => false, close };
  return proxy;
}

/** Follows the requests of one connection: the kind of the last one that began. */
class Kinds {
  last = -1;
  /** Bytes of the request under way that are still to come. */
  #left = 0;
  #begun = Buffer.alloc(0);

  pass(bytes: Buffer): void {
    for (let rest = Buffer.concat([this.#begun, bytes]); ; ) {
      this.#begun = Buffer.alloc(0);
      const skipped = Math.min(this.#left, rest.length);
      this.#left -= skipped;
      rest = rest.subarray(skipped);
      if (rest.length < LENGTH_BYTES + 2) {
        this.#begun = rest;
        return;
      }
      this.#left = LENGTH_BYTES + rest.readInt32BE(0);
      this.last = rest.readInt16BE(LENGTH_BYTES);
    }
  }
}
