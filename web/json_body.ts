/**
 * JSON bodies: read within bounds, checked by a schema.
 *
 * Only `application/json` is read. A page of another origin cannot send that
 * type without asking first, and is told no.
 *
 * @module
 */
import type { z } from "zod";
import { Refusal, refusalOfError } from "./errors.ts";
import { readBody } from "./request_body.ts";

/** Bytes of a body, unless its route says otherwise. */
const JSON_BYTES_MAX = 64 * 2 ** 10;

/** Reads a request's body as the schema describes it; throws a Refusal that points at what is wrong. */
export async function readJsonBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  { bytesMax } = { bytesMax: JSON_BYTES_MAX },
): Promise<z.output<Schema>> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (type !== "application/json") {
    const message = "Cannot read the body: it is not application/json.";
    throw new Refusal(415, "unsupported_media_type", message, "Say Content-Type: application/json.");
  }
  const bytes = await readBody(request, { sentBytesMax: bytesMax, bytesMax });
  const parsed = schema.safeParse(jsonOf(bytes));
  if (parsed.success) return parsed.data;
  throw refusalOfError(parsed.error);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Both calls throw for one reason only: the body is not what its type says.
    throw new Refusal(400, "not_json", "Cannot read the body: it is not JSON in UTF-8.", "Send one JSON object.");
  }
}
