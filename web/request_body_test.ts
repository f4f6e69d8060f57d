import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { BytesInFlight } from "./bytes_in_flight.ts";
import { Refusal } from "./errors.ts";
import { readBody } from "./request_body.ts";

const KIB = 2 ** 10;
const SPACES = Buffer.alloc(300 * KIB, 0x20);
const LIMITS = { sentBytesMax: 400 * KIB, bytesMax: 800 * KIB };

const requestOf = (body: Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
  new Request("http://localhost/", { method: "POST", body, headers });
const streamOf = (...chunks: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

describe("readBody()", () => {
  const bodies = [
    ["a declared length", () => requestOf(SPACES, { "content-length": String(SPACES.length) }), 300 * KIB],
    ["no length", () => requestOf(streamOf(SPACES.subarray(9), SPACES.subarray(0, 9))), 300 * KIB],
    ["gzip", () => requestOf(streamOf(gzipSync(SPACES)), { "content-encoding": "gzip" }), 300 * KIB],
    ["zstd", () => requestOf(streamOf(zstdCompressSync(SPACES)), { "content-encoding": "zstd" }), 300 * KIB],
  ] as const;

  test.each(bodies)("with %s takes what the body takes from what is shared", async (_, request, bytes) => {
    const inFlight = new BytesInFlight({ bytesMax: 2 ** 20 });
    const held = inFlight.open();
    expect(await readBody(request(), { ...LIMITS, held })).toHaveLength(bytes);
    expect(inFlight.bytes).toBeGreaterThanOrEqual(bytes);
    expect(inFlight.bytes).toBeLessThan(bytes + 2 * KIB);
  });

  test.each(bodies)("with %s is told to come later where too much is held", async (_, request, bytes) => {
    const inFlight = new BytesInFlight({ bytesMax: 2 ** 20 });
    inFlight.open().take(2 ** 20 - bytes + 1);
    const read = readBody(request(), { ...LIMITS, held: inFlight.open() });
    const refusal = await read.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ status: 503, code: "busy" });
  });

  test.each([
    ["gzip", gzipSync(SPACES)],
    ["zstd", zstdCompressSync(SPACES)],
  ])("refuses %s that does not end", async (encoding, whole) => {
    const read = readBody(requestOf(whole.subarray(0, -1), { "content-encoding": encoding }), LIMITS);
    expect(await read.catch((error: unknown) => error)).toMatchObject({ status: 400, code: "not_compressed" });
  });
});
