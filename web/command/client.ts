/**
 * Commands that ask a running door: plan, apply, sql.
 *
 * @module
 */
import { type Config, clientEnvironment } from "../config.ts";
import { readProject } from "../project.ts";
import { readDoorFile } from "../secrets.ts";

/** The door could not be asked, or refused; the message says what to do. */
export class ClientFailed extends Error {
  override readonly name = "ClientFailed";
}

interface Refused {
  readonly error: { readonly message: string; readonly hint: string };
}

interface ChangeAnswer {
  readonly kind: string;
  readonly source: string;
  readonly notes?: readonly string[];
  readonly reason?: string;
  readonly hint?: string;
  readonly destructive?: boolean;
}

interface ApplyAnswer {
  readonly changes: readonly ChangeAnswer[];
  readonly errors: readonly {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly message: string;
    readonly hint: string;
  }[];
  readonly done: boolean;
}

async function ask(config: Config, path: string, init: RequestInit): Promise<Response> {
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

/** `weir plan` and `weir apply`: the project's files go to the door, which says or does what changes. */
export async function apply(
  config: Config,
  how: { dryRun: boolean; allowDestructive: boolean; isJson: boolean },
): Promise<number> {
  const files = readProject(config.projectDir ?? process.cwd());
  const body = JSON.stringify({ files, dry_run: how.dryRun, allow_destructive: how.allowDestructive });
  const response = await ask(config, "/v1/admin/definitions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const answer = (await response.json()) as ApplyAnswer & Partial<Refused>;
  if (how.isJson) console.log(JSON.stringify(answer));
  else printPlan(answer);
  if (answer.changes === undefined) throw new ClientFailed(`${answer.error?.message} ${answer.error?.hint}`);
  const isRefused = answer.errors.length > 0 || answer.changes.some((change) => change.kind === "refuse");
  return isRefused || (!how.dryRun && !answer.done) ? 1 : 0;
}

function printPlan({ changes = [], errors = [], done }: ApplyAnswer): void {
  for (const { file, line, column, message, hint } of errors)
    console.error(`${file}:${line}:${column}: ${message} ${hint}`);
  for (const { kind, source, notes = [], reason, hint, destructive } of changes) {
    if (kind === "refuse") console.error(`ods.${source}: Cannot apply: ${reason}. ${hint}`);
    else
      console.log(
        `ods.${source}: ${kind}${destructive ? " (destructive)" : ""}${notes.length > 0 ? `: ${notes.join("; ")}` : ""}`,
      );
  }
  if (done) console.log("applied");
  else if (changes.some((change) => change.destructive))
    console.error("Nothing was applied: values would be lost. Say --allow-destructive if that is meant.");
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
