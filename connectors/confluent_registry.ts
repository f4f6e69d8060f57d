/**
 * A schema registry that speaks Confluent's protocol: Confluent's own, Karapace, Redpanda, Apicurio's compatible API.
 *
 *   GET /schemas/ids/<id>                          ──▶ schema, its references
 *   GET /subjects/<subject>/versions/<version>     ──▶ each reference, and what that refers to
 *
 * A redirect is not followed: the operator's word says which host is asked, and
 * credentials go nowhere else. An answer is read up to a bound, whatever it
 * claims to be. Only the protocol's own "no such schema" means that there is
 * none; every other failure is the registry being away, so that a proxy that
 * answers 404 for all condemns no record.
 *
 * @module
 */
import { Effect } from "effect";
import { z } from "zod";
import { authoritiesOf } from "./authorities.ts";
import { type RegistryAnswer, RegistryAway, type SchemaRegistry } from "./schema_registry.ts";

/** How to reach the registry, and as whom. */
export interface ConfluentRegistryOptions {
  /** Its address, with the path in front of its API if it has one. */
  readonly url: string;
  readonly login?: { readonly username: string; readonly password: string } | undefined;
  /** PEM file of the authorities that its certificate is checked against; the machine's own by default. */
  readonly caFile?: string | undefined;
  /** How long an answer may take, with everything that it refers to. */
  readonly answerMsMax?: number;
}

/** Bounds of what a registry answers. */
export const REGISTRY_LIMITS = {
  answerMsMax: 10_000,
  /** Of one answer: a schema's text comes escaped. */
  answerBytesMax: 2 * 2 ** 20,
  /** Of a schema with everything that it refers to. */
  textCharsMax: 2 ** 20,
  referencesMax: 64,
} as const;

const UNTRUSTED = /^(?!ERR_SSL)[A-Z_]*CERT[A-Z_]*$|^UNABLE_TO_[A-Z_]+$/;
const ACCEPT = "application/vnd.schemaregistry.v1+json, application/json";
/** The protocol's codes for what is not there: 40401 a subject, 40402 a version, 40403 a schema. */
const NOT_THERE = { min: 40_400, max: 40_499 } as const;

const SCHEMA = z.object({
  schema: z.string(),
  schemaType: z.string().default("AVRO"),
  references: z.array(z.object({ subject: z.string(), version: z.int() })).default([]),
});
type Schema = z.output<typeof SCHEMA>;
const PROBLEM = z.object({ error_code: z.int() });

/** The registry at an address. Throws an Error that says what to do if `caFile` cannot be read, or holds no certificate. */
export function confluentRegistry(options: ConfluentRegistryOptions): SchemaRegistry {
  const { url, login, caFile, answerMsMax = REGISTRY_LIMITS.answerMsMax } = options;
  const ca = caFile === undefined ? undefined : trusted(caFile);
  const basic = login && Buffer.from(`${login.username}:${login.password}`).toString("base64");
  const ask: Ask = async (path, signal) => {
    const response = await fetch(`${url.replace(/\/+$/, "")}${path}`, {
      headers: { accept: ACCEPT, ...(basic === undefined ? {} : { authorization: `Basic ${basic}` }) },
      redirect: "manual",
      signal,
      ...(ca === undefined ? {} : { tls: { ca } }),
    });
    return answerOf(response);
  };
  return {
    schema: (id) =>
      Effect.tryPromise({
        try: (interrupted) => {
          const signal = AbortSignal.any([interrupted, AbortSignal.timeout(answerMsMax)]);
          return answered(id, (path) => ask(path, signal));
        },
        catch: (error) =>
          new RegistryAway({
            message: `Cannot ask the schema registry for schema ${id}: ${stateOf(error, answerMsMax)}`,
          }),
      }),
  };
}

function trusted(caFile: string): string {
  try {
    return authoritiesOf(caFile);
  } catch (error) {
    throw new Error(
      `Cannot read the file of authorities: ${(error as Error).message}. Set SCHEMA_REGISTRY_CA_FILE to a PEM file of certificates.`,
    );
  }
}

type Ask = (path: string, signal: AbortSignal) => Promise<Schema | "not there" | "too large">;

/** An answer that is not the protocol's; the message ends with what to do. */
class NotAnswered extends Error {}

/** Asks for a schema, then for all that it refers to. */
async function answered(id: number, ask: (path: string) => ReturnType<Ask>): Promise<RegistryAnswer> {
  const { answerBytesMax, textCharsMax, referencesMax } = REGISTRY_LIMITS;
  const refused = (reason: string): RegistryAnswer => ({ kind: "refused", reason: `schema ${id} ${reason}` });
  const found = await ask(`/schemas/ids/${id}`);
  if (found === "not there") return { kind: "unknown" };
  if (found === "too large") return refused(`has more than ${answerBytesMax} bytes`);
  if (found.schemaType !== "AVRO") return refused(`is of the type '${found.schemaType.slice(0, 100)}', not AVRO`);
  const known = new Set<string>();
  const references: string[] = [];
  let chars = found.schema.length;
  // Depth first: what is referred to stands in front of what refers to it.
  const collect = async (of: Schema): Promise<string | undefined> => {
    for (const { subject, version } of of.references) {
      const name = `'${subject.slice(0, 100)}' version ${version}`;
      if (known.has(name)) continue;
      known.add(name);
      if (known.size > referencesMax) return `refers to more than ${referencesMax} others`;
      // Part of a path, such a name would be another path.
      if (/^\.{0,2}$/.test(subject)) return `refers to ${name}, which is no name of a subject`;
      const other = await ask(`/subjects/${encodeURIComponent(subject)}/versions/${version}?deleted=true`);
      if (other === "not there") return `refers to ${name}, which the registry does not know`;
      if (other === "too large") return `refers to ${name}, which has more than ${answerBytesMax} bytes`;
      chars += other.schema.length;
      if (chars > textCharsMax) break;
      const problem = await collect(other);
      if (problem !== undefined) return problem;
      references.push(other.schema);
    }
    return chars > textCharsMax ? `has more than ${textCharsMax} characters, with what it refers to` : undefined;
  };
  const problem = await collect(found);
  if (problem !== undefined) return refused(problem);
  return { kind: "schema", text: found.schema, references };
}

async function answerOf(response: Response): Promise<Awaited<ReturnType<Ask>>> {
  const { status } = response;
  if (status >= 300 && status < 400)
    throw new NotAnswered("it answers with a redirect. Set SCHEMA_REGISTRY_URL to where it leads.");
  if (status === 401 || status === 403)
    throw new NotAnswered("it refuses to tell. Correct SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD.");
  const text = await textOf(response);
  const json = text === undefined ? undefined : parsed(text);
  if (status === 404) {
    const { data } = PROBLEM.safeParse(json);
    if (data !== undefined && data.error_code >= NOT_THERE.min && data.error_code <= NOT_THERE.max) return "not there";
  }
  if (status !== 200)
    throw new NotAnswered(`it answers with status ${status}. Look whether SCHEMA_REGISTRY_URL is its address.`);
  if (text === undefined) return "too large";
  const { data } = SCHEMA.safeParse(json);
  if (data === undefined)
    throw new NotAnswered("what it answers is no schema. Look whether SCHEMA_REGISTRY_URL is its address.");
  return data;
}

/** The answer's text; undefined if it is too large. */
async function textOf({ body }: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Breaking off cancels the stream.
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > REGISTRY_LIMITS.answerBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is not JSON is not the protocol's, whatever it is.
    return undefined;
  }
}

/** What is wrong, without addresses: an error of the connection may name them. */
function stateOf(error: unknown, answerMsMax: number): string {
  if (error instanceof NotAnswered) return error.message;
  const { name, code } = error as { readonly name?: string; readonly code?: unknown };
  if (name === "TimeoutError") return `it did not answer within ${answerMsMax} ms. It is asked again.`;
  if (typeof code === "string" && UNTRUSTED.test(code))
    return `its certificate is not trusted (${code}). Set SCHEMA_REGISTRY_CA_FILE to the authorities that signed it, and use the names it is made out to.`;
  const known = typeof code === "string" && /^[A-Za-z_]{1,60}$/.test(code) ? ` (${code})` : "";
  return `there is no connection to it${known}. It is asked again.`;
}
