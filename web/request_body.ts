/**
 * Request bodies: read and decompressed within bounds, whatever the sender says about them.
 *
 *   request ──length?──▶ bytes ──gzip · zstd──▶ bytes (bounded) ──▶ route
 *
 * A declared length is refused before a byte is read; an undeclared one is
 * counted while it is read; what it decompresses to is bounded by the
 * decompressor itself, so that a bomb never unfolds.
 *
 * @module
 */
import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { clientGone, Refusal } from "./errors.ts";

/** Upper bounds of one body, in bytes: as sent, and decompressed. */
export interface BodyLimits {
  readonly sentBytesMax: number;
  readonly bytesMax: number;
}

const DECOMPRESS = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) } as const;

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
  const sent = await readBytes(request, limits.sentBytesMax).catch((error: unknown) => {
    throw (error as { name?: string }).name === "AbortError" ? clientGone() : error;
  });
  if (encoding === "identity") return sent;
  try {
    return await DECOMPRESS[encoding](sent, { maxOutputLength: limits.bytesMax });
  } catch (error) {
    const isLarge = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
    if (isLarge) throw tooLarge(limits.bytesMax, "decompressed");
    throw new Refusal(
      400,
      "not_compressed",
      `Cannot read the body: it is not valid ${encoding}.`,
      "Compress it whole, or send it without Content-Encoding.",
    );
  }
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    if (Number(declared) > bytesMax) throw tooLarge(bytesMax, "sent");
    return new Uint8Array(await request.arrayBuffer());
  }
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax, "sent");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(bytesMax: number, how: string): Refusal {
  return new Refusal(
    413,
    "body_too_large",
    `Cannot take the body: it is larger than ${bytesMax / 2 ** 20} MiB ${how}.`,
    "Send it in several requests.",
  );
}
