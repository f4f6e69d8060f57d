/**
 * Commands that change definitions or look at them: plan, apply, resume, check, pull.
 *
 *   project's files ──▶ POST /v1/admin/definitions ──progress, then the answer──▶ terminal
 *
 * A folder remembers the catalog that it last pulled or applied, in `.weir/catalog.json`:
 * what somebody else changed after it is a conflict, not overwritten.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { detach } from "@weir/sql";
import type { Config } from "../config.ts";
import { readBase, readProject, writeBase } from "../project.ts";
import { safeLines, safeText } from "../safe_text.ts";
import { ask, ClientFailed, linesOf, type Refused, refused } from "./client.ts";

/** How definitions are applied. */
export interface ApplyHow {
  readonly dryRun: boolean;
  readonly allowDestructive: boolean;
  /** Overwrites what others changed. */
  readonly isForced: boolean;
  /** Says why each model is planned as it is. */
  readonly isExplained: boolean;
  readonly isJson: boolean;
}

interface ChangeAnswer {
  readonly kind: string;
  readonly name: string;
  readonly notes?: readonly string[];
  readonly reason?: string;
  readonly hint?: string;
  readonly destructive?: boolean;
  readonly dependents?: readonly string[];
  readonly explanation?: readonly string[];
  readonly backfill?: { readonly rows: number; readonly since: string | null };
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
  readonly conflicts: readonly { readonly name: string; readonly author: string; readonly catalog: number }[];
  readonly catalog: number;
  readonly done: boolean;
}

/** `weir plan` and `weir apply`: the project's files go to the door, which says or does what changes. */
export async function apply(config: Config, how: ApplyHow): Promise<number> {
  const dir = config.projectDir ?? process.cwd();
  const files = readProject(dir).map(({ path, text, data }) =>
    data === undefined ? { path, text } : { path, text, data: Buffer.from(data).toString("base64") },
  );
  const base = how.isForced ? undefined : readBase(dir);
  const body = { files, dry_run: how.dryRun, allow_destructive: how.allowDestructive, base };
  const answer = await change(config, "/v1/admin/definitions", { body, isJson: how.isJson });
  if (answer.done) writeBase(dir, answer.catalog);
  return tell(answer, how);
}

/** `weir resume`: makes a suspended model anew from all rows. */
export async function resume(config: Config, { name, isJson }: { name: string; isJson: boolean }): Promise<number> {
  const path = `/v1/admin/definitions/${encodeURIComponent(name)}/resume`;
  const answer = await change(config, path, { body: {}, isJson });
  return tell(answer, { dryRun: false, isExplained: false, isJson });
}

function tell(
  answer: ApplyAnswer & Partial<Refused>,
  how: Pick<ApplyHow, "dryRun" | "isExplained" | "isJson">,
): number {
  if (how.isJson) console.log(JSON.stringify(answer));
  else if (answer.changes !== undefined) printPlan(answer, how.isExplained);
  if (answer.changes === undefined) throw refused(answer as Refused);
  const isRefused = answer.errors.length > 0 || answer.changes.some((change) => change.kind === "refuse");
  return isRefused || (!how.dryRun && !answer.done) ? 1 : 0;
}

/** Sends a change and waits for it; shows the progress of backfills meanwhile. */
async function change(
  config: Config,
  path: string,
  { body, isJson }: { body: object; isJson: boolean },
): Promise<ApplyAnswer & Partial<Refused>> {
  const headers = { "content-type": "application/json", accept: "application/x-ndjson" };
  const response = await ask(config, path, { method: "POST", headers, body: JSON.stringify(body) });
  const text = response.headers.get("content-type") ?? "";
  if (!text.startsWith("application/x-ndjson")) return (await response.json()) as ApplyAnswer & Partial<Refused>;
  const isShown = !isJson && process.stderr.isTTY;
  for await (const line of linesOf(response)) {
    const { progress, answer } = JSON.parse(line) as { progress?: readonly Progress[]; answer?: ApplyAnswer };
    if (isShown && progress !== undefined) showProgress(progress);
    if (answer === undefined) continue;
    if (isShown) process.stderr.write("\r\x1b[K");
    return answer;
  }
  throw new ClientFailed("The door closed before the change was finished; it goes on when the door is open again.");
}

interface Progress {
  readonly name: string;
  readonly rows: number;
  readonly rows_total: number;
}

const BAR_CHARS = 30;

/** One line that is written over and over: `dwf.flight ▓▓▓▓▓░░░░░ 1,200,000 of 3,000,000 rows`. */
function showProgress(all: readonly Progress[]): void {
  const shown = all.map(({ name, rows, rows_total }) => {
    const full = Math.round((rows / Math.max(1, rows_total)) * BAR_CHARS);
    const bar = "▓".repeat(full) + "░".repeat(BAR_CHARS - full);
    return `${name} ${bar} ${rows.toLocaleString("en")} of ${rows_total.toLocaleString("en")} rows`;
  });
  process.stderr.write(`\r\x1b[K${shown.join("  ").slice(0, (process.stderr.columns ?? 120) - 1)}`);
}

function printPlan({ changes, errors, conflicts, done }: ApplyAnswer, isExplained: boolean): void {
  for (const { file, line, column, message, hint } of errors)
    console.error(safeLines(`${file}:${line}:${column}: ${message} ${hint}`));
  for (const { kind, name, notes = [], reason, hint, destructive, backfill, ...about } of changes) {
    const { dependents = [], explanation = [] } = about;
    if (kind === "refuse") console.error(safeLines(`${name}: Cannot apply: ${reason}. ${hint}`));
    else {
      const why = notes.length > 0 ? `: ${notes.join("; ")}` : "";
      console.log(safeText(`${name}: ${kind}${destructive ? " (destructive)" : ""}${why}`));
    }
    if (dependents.length > 0) console.log(`    read by ${dependents.join(", ")}`);
    if (backfill !== undefined && backfill.rows > 0)
      console.log(`    to be filled with ${backfill.rows.toLocaleString("en")} rows, back to ${backfill.since}`);
    if (isExplained) for (const sentence of explanation) console.log(`    ${safeText(sentence)}`);
  }
  for (const { name, author, catalog } of conflicts)
    console.error(
      `${name}: '${safeText(author)}' changed it since (catalog ${catalog}). Run weir pull and merge, or say --force.`,
    );
  if (done) console.log("applied");
  else if (changes.some((change) => change.destructive))
    console.error("Nothing was applied: values would be lost. Say --allow-destructive if that is meant.");
}

interface CheckAnswer extends Partial<Refused> {
  readonly model: string;
  readonly rows: number;
  readonly differing: number;
  readonly differences: readonly { readonly batch: string | null; readonly live: string | null }[];
  readonly classes: Readonly<Record<string, string>>;
  readonly tolerance: number;
  readonly elapsed_ms: number;
}

/** `weir check`: recomputes a model over its sources and compares; 1 if anything differs. */
export async function check(config: Config, { name, isJson }: { name: string; isJson: boolean }): Promise<number> {
  const path = `/v1/admin/definitions/${encodeURIComponent(name)}/check`;
  const answer = (await (await ask(config, path, { method: "POST" })).json()) as CheckAnswer;
  if (answer.error !== undefined) throw new ClientFailed(`${answer.error.message} ${answer.error.hint}`);
  if (isJson) console.log(JSON.stringify(answer));
  else {
    const { model, rows, differing, differences, classes, tolerance, elapsed_ms } = answer;
    const loose = Object.entries(classes).filter(([, is]) => is !== "exact");
    console.log(`${model}: ${rows} rows recomputed in ${elapsed_ms} ms, ${differing} differ`);
    for (const [column, is] of loose)
      console.log(`    ${column} is ${is}${is === "approximate" ? `, compared within ${tolerance} of its size` : ""}`);
    for (const { batch, live } of differences)
      console.log(`    computed ${safeText(batch ?? "nothing")}\n    stored   ${safeText(live ?? "nothing")}`);
  }
  return answer.differing === 0 ? 0 : 1;
}

interface Listed {
  readonly layer: string;
  readonly name: string;
  readonly text: string;
  readonly catalog: number;
}

/** `weir pull`: writes what is in force into the project's folder. */
export async function pull(config: Config): Promise<number> {
  const dir = config.projectDir ?? process.cwd();
  const response = await ask(config, "/v1/admin/definitions", {});
  const { definitions, error } = (await response.json()) as { definitions: readonly Listed[] } & Partial<Refused>;
  if (error !== undefined) throw new ClientFailed(`${error.message} ${error.hint}`);
  let written = 0;
  for (const { layer, name, text } of definitions) {
    // Names as the door gives them, but never a way out of the folder.
    if (!/^[a-z]+$/.test(layer) || !/^[a-z][a-z0-9_]*$/.test(name))
      throw new ClientFailed(`Cannot write '${layer}/${name}.sql': that is no name of a definition.`);
    const { text: own, files } = layer === "ods" ? detach(text) : { text, files: [] };
    for (const [file, content] of [[`${name}.sql`, own] as const, ...files]) {
      const path = join(dir, layer, file);
      if (existsSync(path) && readFileSync(path, "utf8") === content) continue;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      console.log(`${layer}/${file}`);
      written += 1;
    }
  }
  writeBase(dir, Math.max(0, ...definitions.map(({ catalog }) => catalog)));
  console.log(written === 0 ? "nothing has changed" : `${written} files written`);
  return 0;
}
