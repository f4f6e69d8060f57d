/**
 * The proxy: bytes arrive whole and in order, and each fault is one that the client can see.
 *
 * @module
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { TcpProxy } from "./tcp_proxy_fixture.ts";

let echo: Server;
let proxy: TcpProxy;

beforeAll(async () => {
  echo = createServer((socket) => socket.pipe(socket).on("error", () => socket.destroy()));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  proxy = await TcpProxy.open();
  proxy.target = (echo.address() as { port: number }).port;
});
afterAll(async () => {
  await proxy.stop();
  echo.close();
});

/** A client that collects what comes back and knows how its connection ended. */
async function client(): Promise<{ socket: Socket; bytes: () => number; ended: Promise<string> }> {
  const socket = connect(proxy.port, "127.0.0.1");
  let bytes = 0;
  let how = "closed";
  socket.on("data", (chunk) => {
    bytes += chunk.length;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    how = error.code ?? error.message;
  });
  const ended = new Promise<string>((resolve) => socket.on("close", () => resolve(how)));
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, bytes: () => bytes, ended };
}

/** Sends something and waits until it is back. */
async function roundTrip({ socket, bytes }: Awaited<ReturnType<typeof client>>, size: number): Promise<number> {
  const [before, startedMs] = [bytes(), performance.now()];
  socket.write(new Uint8Array(size));
  while (bytes() < before + size) await Bun.sleep(1);
  return performance.now() - startedMs;
}

test("carries everything when it is open, and later when it is slow", async () => {
  const one = await client();
  await roundTrip(one, 5_000_000);
  proxy.passage = "slow";
  expect(await roundTrip(one, 10)).toBeGreaterThan(90);
  proxy.passage = "open";
  await roundTrip(one, 10);
  expect(one.bytes()).toBe(5_000_020);
  one.socket.destroy();
});

test.each([
  ["cut", "closed"],
  ["reset", "ECONNRESET"],
] as const)("%s ends the connections that stand, not later ones", async (fault, how) => {
  const one = await client();
  await roundTrip(one, 10);
  proxy[fault]();
  expect(await one.ended).toBe(how);
  const other = await client();
  await roundTrip(other, 10);
  other.socket.destroy();
});

test("a black hole swallows, and tears its connections down when it ends", async () => {
  const one = await client();
  proxy.passage = "black hole";
  one.socket.write("lost");
  await Bun.sleep(50);
  expect(one.bytes()).toBe(0);
  proxy.passage = "open";
  expect(await one.ended).toBe("ECONNRESET");
});
