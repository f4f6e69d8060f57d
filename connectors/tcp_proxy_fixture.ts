/**
 * A TCP proxy on loopback that does to connections what networks do.
 *
 *   client ──▶ proxy ──open · slow · black hole──▶ server          cut: both ends are closed · reset: torn down
 *
 * Bytes keep their order, and what one side does not take makes the other one
 * wait. A black hole takes connections and bytes and passes nothing on; what it
 * took is lost, so its connections are reset when it ends.
 *
 * @module
 */
import { connect, createServer, type Server, type Socket } from "node:net";

/** What the proxy does with bytes. */
export type Passage = "open" | "slow" | "black hole";

/** Sees what is asked on one connection, and says of each piece of an answer whether it is lost with the connection. */
export interface Tap {
  readonly asked: (bytes: Uint8Array) => void;
  readonly isLost: () => boolean;
}

/** How long each piece of a slow connection is on its way. */
const SLOW_MS = 50;

/** A running proxy. */
export class TcpProxy {
  readonly port: number;
  /** Port of the loopback that connections are passed on to; need not listen yet. */
  target = 0;
  /** Of every connection from now on; none by default. */
  tap: (() => Tap) | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #passage: Passage = "open";

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
  }

  /** Listens on a free port. */
  static async open(): Promise<TcpProxy> {
    const accept = { connection: (_: Socket) => {} };
    const server = createServer((client) => accept.connection(client));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const proxy = new TcpProxy(server);
    accept.connection = (client) => {
      const upstream = connect(proxy.target, "127.0.0.1");
      const tap = proxy.tap?.();
      proxy.#carry(client, upstream, (bytes) => tap?.asked(bytes));
      proxy.#carry(upstream, client, () => {
        if (tap?.isLost() === true) upstream.destroy();
      });
    };
    return proxy;
  }

  set passage(passage: Passage) {
    const before = this.#passage;
    this.#passage = passage;
    if (before === "black hole" && passage !== before) this.reset();
  }

  /** Closes every connection that stands, in order. */
  cut(): void {
    for (const socket of this.#sockets) socket.end();
  }

  /** Tears every connection that stands down. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Carries what one end sends to the other, until either ends; `see` sees it first, and may end the connection. */
  #carry(from: Socket, to: Socket, see: (bytes: Uint8Array) => void): void {
    this.#sockets.add(from);
    const write = (bytes: Buffer) => {
      if (to.destroyed || to.write(bytes)) from.resume();
      else to.once("drain", () => from.resume());
    };
    from.on("data", (bytes: Buffer) => {
      if (this.#passage === "black hole") return;
      see(bytes);
      if (from.destroyed) return;
      from.pause();
      if (this.#passage === "slow") setTimeout(write, SLOW_MS, bytes);
      else write(bytes);
    });
    from.on("end", () => to.end());
    // A refused or torn connection is what the other end sees as well.
    from.on("error", () => to.resetAndDestroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
