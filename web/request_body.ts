/**
 * Request bodies: read and decompressed within bounds, whatever the sender says about them.
 *
 *   request ──length?──▶ bytes ──gzip · zstd──▶ bytes (bounded) ──▶ route
 *
 * A declared length is refused before a byte is read; else bytes are counted
 * while they are read, and again while they are decompressed, so that a bomb
 * never unfolds. Where requests share a bound, each count is one of it, too.
 *
 * @module
 */
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { HeldBytes } from "./bytes_in_flight.ts";
import { clientGone, Refusal } from "./errors.ts";
import { areWholeFrames } from "./zstd_frames.ts";

/** Upper bounds of one body, in bytes: as sent, and decompressed. */
export interface BodyLimits {
  readonly sentBytesMax: number;
  readonly bytesMax: number;
  /** Takes what the body takes, where a bound is shared; whoever passes it gives back. */
  readonly held?: HeldBytes;
}

const DECOMPRESS = { gzip: createGunzip, zstd: createZstdDecompress } as const;
/** Bytes that a decompressor hands over at once. */
const CHUNK_BYTES = 64 * 2 ** 10;
/** Bodies that declare at most so many bytes are read in one piece, and taken before they are here. */
const WHOLE_BYTES_MAX = 2 ** 20;

/** Reads a request's body; throws a Refusal when it is too large, badly compressed, or in another encoding. */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const encoding = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  if (encoding !== "identity" && encoding !== "gzip" && encoding !== "zstd") {
    throw new Refusal(
      415,
      "unsupported_media_type",
      `Cannot read the body: its encoding is '${encoding.slice(0, 40)}'.`,
      "Send it as it is, or compressed with gzip or zstd.",
    );
  }
  const sent = await readBytes(request, limits).catch((error: unknown) => {
    throw (error as { name?: string }).name === "AbortError" ? clientGone() : error;
  });
  if (encoding === "identity") return sent;
  if (encoding === "zstd" && !areWholeFrames(sent)) throw notCompressed(encoding);
  const unfolding = DECOMPRESS[encoding]({ chunkSize: CHUNK_BYTES });
  unfolding.end(sent);
  try {
    return await collect(unfolding, { ...limits, how: "decompressed" });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw notCompressed(encoding);
  }
}

async function readBytes(request: Request, { sentBytesMax, held }: BodyLimits): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    const bytes = Number(declared);
    if (bytes > sentBytesMax) throw tooLarge(sentBytesMax, "sent");
    if (bytes <= WHOLE_BYTES_MAX) {
      held?.take(bytes);
      return new Uint8Array(await request.arrayBuffer());
    }
  }
  if (request.body === null) return new Uint8Array(0);
  const body = request.body as unknown as AsyncIterable<Uint8Array>;
  return collect(body, { bytesMax: sentBytesMax, held, how: "sent" });
}

/** Puts chunks together; throws a Refusal as soon as they are more than they may be. */
async function collect(
  from: AsyncIterable<Uint8Array>,
  { bytesMax, held, how }: Pick<BodyLimits, "bytesMax" | "held"> & { readonly how: string },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of from) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax, how);
    held?.take(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function notCompressed(encoding: string): Refusal {
  const hint = "Compress it whole, or send it without Content-Encoding.";
  return new Refusal(400, "not_compressed", `Cannot read the body: it is not valid ${encoding}.`, hint);
}

function tooLarge(bytesMax: number, how: string): Refusal {
  return new Refusal(
    413,
    "body_too_large",
    `Cannot take the body: it is larger than ${bytesMax / 2 ** 20} MiB ${how}.`,
    "Send it in several requests.",
  );
}
