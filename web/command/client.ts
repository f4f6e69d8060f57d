/**
 * Asking a running door: where it is, with which token, and what it says when it refuses.
 *
 * @module
 */
import { type Config, clientEnvironment } from "../config.ts";
import { readDoorFile } from "../secrets.ts";

/** The door could not be asked, or refused; the message says what to do. */
export class ClientFailed extends Error {
  override readonly name = "ClientFailed";
}

/** An answer that is an error. */
export interface Refused {
  readonly error: { readonly message: string; readonly hint: string };
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
    throw new ClientFailed(`Cannot reach the door at ${base}. Is weir start running?`);
  }
}

/** `weir sql`: the answer goes to stdout as it comes. */
export async function sql(config: Config, { text, format }: { text: string; format: string }): Promise<number> {
  const query = text === "" ? await Bun.stdin.text() : text;
  const response = await ask(config, `/v1/sql?format=${encodeURIComponent(format)}`, { method: "POST", body: query });
  if (!response.ok) {
    const { error } = (await response.json()) as Refused;
    throw new ClientFailed(`${error.message} ${error.hint}`);
  }
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) await Bun.write(Bun.stdout, chunk);
  return 0;
}
