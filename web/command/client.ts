/**
 * Asking a running door: where it is, with which token, and what it says when it refuses.
 *
 * @module
 */
import { type Config, clientEnvironment } from "../config.ts";
import { readDoorFile } from "../secrets.ts";

/** The door could not be asked, or refused; the message says what to do. `at` is what the door says of the place. */
export class ClientFailed extends Error {
  override readonly name = "ClientFailed";
  readonly at: unknown;

  constructor(message: string, at?: unknown) {
    super(message);
    this.at = at;
  }
}

/** An answer that is an error. */
export interface Refused {
  readonly error: { readonly code?: string; readonly message: string; readonly hint: string; readonly at?: unknown };
}

/** The address of the door, if one is known. */
export function doorUrl({ dataDir }: Config): string | undefined {
  const url = clientEnvironment().url ?? readDoorFile(dataDir)?.url;
  return url === undefined ? undefined : addressOf(url);
}

/** What of an address may be shown: a password that stands in it may not. */
function addressOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "an address that is none";
}

/** Sends a request to the door that `WEIR_URL` names, or that runs on the data directory. */
export async function ask(config: Config, path: string, init: RequestInit): Promise<Response> {
  const { url, token } = clientEnvironment();
  const left = readDoorFile(config.dataDir);
  const base = url ?? left?.url;
  const bearer = token ?? left?.token;
  if (base === undefined || bearer === undefined) {
    throw new ClientFailed(
      `Cannot find a running door: '${config.dataDir}' has none. Run weir start, or set WEIR_URL and WEIR_TOKEN.`,
    );
  }
  const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${bearer}` };
  try {
    return await fetch(`${base}${path}`, { ...init, headers });
  } catch {
    throw new ClientFailed(`Cannot reach the door at ${addressOf(base)}. Is weir start running?`);
  }
}

/** Sends a request and reads its JSON answer; throws ClientFailed with what the door says. */
export async function askJson<A>(config: Config, path: string, init: RequestInit = {}): Promise<A> {
  const response = await ask(config, path, init);
  const body = (await response.json()) as A & Partial<Refused>;
  if (response.ok) return body;
  throw refused(body as Refused);
}

/** Sends a JSON body and reads the JSON answer. */
export function postJson<A>(config: Config, path: string, body: object): Promise<A> {
  const headers = { "content-type": "application/json" };
  return askJson<A>(config, path, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * The door's refusal as a failure of the command, with the place in a file where it names one. What it says of a body is
 * said of flags, which the caller knows.
 */
export function refused({ error }: Refused): ClientFailed {
  const { code, message, hint, at } = error;
  if (code === "invalid_body") return new ClientFailed(message.replace("Cannot use the body:", "Cannot do that:"));
  return new ClientFailed(`${placeIn(at)}${message} ${hint}`, at);
}

/** `ods/reading.sql:11:3: `, for a terminal to open it; nothing where no file is named. */
function placeIn(at: unknown): string {
  const { file, line, column } = (at ?? {}) as { file?: unknown; line?: unknown; column?: unknown };
  return typeof file === "string" ? `${file}:${line}:${column}: ` : "";
}

/** The lines of a streamed answer as they come; an end in the middle of one is the stream's own failure. */
export async function* linesOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
