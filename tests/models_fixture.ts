/**
 * Definitions for tests of models: short texts, applied to a world, and what is in force afterwards.
 *
 * @module
 */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./door_process.ts";
import type { Sender } from "./sender.ts";
import type { World } from "./world.ts";

/** The type of the bodies that tests send. */
export const JSON_TYPE = { "content-type": "application/json" };

/** A source of `id` and `n`, as a `Sender` fills it. */
export function source(name: string, columns = "id String, n UInt32"): string {
  return `/*---\nkind: source\ndoc: Numbers.\nkey: id\n---*/\nCREATE TABLE ods.${name} ( ${columns} )\n`;
}

/** A model; `front` are more lines of front matter. */
export function model(select: string, { front = "", doc = "Made for a test." } = {}): string {
  return `/*---\nkind: model\ndoc: ${doc}\n${front}---*/\n${select}\n`;
}

/** An API. */
export function api(select: string, front = ""): string {
  return `/*---\nkind: api\ndoc: Made for a test.\n${front}---*/\n${select}\n`;
}

/** One definition with the rows of the file that it names, if it names one. */
export interface File {
  readonly path: string;
  readonly text: string;
  readonly data?: string;
}

/** The definitions of a folder. */
export function projectFiles(dir: string): readonly File[] {
  const paths = [...new Bun.Glob("{functions,ods,dim,dwf,dws,dwa,api}/*.sql").scanSync({ cwd: dir })].sort();
  return paths.map((path) => ({ path, text: readFileSync(join(dir, path), "utf8") }));
}

/** What the door says of a change. */
export interface Answer {
  readonly changes: readonly (Readonly<Record<string, unknown>> & { readonly kind: string; readonly name: string })[];
  readonly errors: readonly Readonly<Record<string, unknown>>[];
  readonly conflicts: readonly Readonly<Record<string, unknown>>[];
  readonly catalog: number;
  readonly done: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string; readonly at: unknown };
}

/** Applies files given as path → text, or whole; answers what the door said. */
export async function apply(
  world: Pick<World, "post">,
  files: Readonly<Record<string, string>> | readonly File[],
  options: object = {},
): Promise<{ readonly status: number; readonly answer: Answer }> {
  const list = Array.isArray(files)
    ? (files as readonly File[])
    : Object.entries(files).map(([path, text]): File => ({ path, text }));
  const sent = list.map(({ path, text, data }) => ({
    path,
    text,
    ...(data === undefined ? {} : { data: btoa(data) }),
  }));
  const response = await world.post("/v1/admin/definitions", JSON.stringify({ files: sent, ...options }), JSON_TYPE);
  return { status: response.status, answer: (await response.json()) as Answer };
}

/** Applies files and expects that it is done; answers each change as `kind name`. */
export async function applied(
  world: Pick<World, "post">,
  files: Readonly<Record<string, string>> | readonly File[],
  options: object = {},
): Promise<readonly string[]> {
  const { status, answer } = await apply(world, files, options);
  expect({ status, error: answer.error, errors: answer.errors, done: answer.done }).toEqual({
    status: 200,
    error: undefined,
    errors: [],
    done: true,
  });
  return answer.changes.map(({ kind, name }) => `${kind} ${name}`);
}

/** Checks a model; answers what the door said. */
export async function check(world: Pick<World, "post">, name: string) {
  const response = await world.post(`/v1/admin/definitions/${name}/check`, "");
  return (await response.json()) as {
    readonly rows: number;
    readonly differing: number;
    readonly differences: readonly { readonly batch: string | null; readonly live: string | null }[];
  };
}

/** What `GET /v1/admin/definitions` says of a name. */
export async function inForce(world: World, name: string) {
  const headers = { authorization: `Bearer ${world.token}` };
  const response = await world.request("/v1/admin/definitions", { headers });
  const { definitions } = (await response.json()) as {
    definitions: readonly { layer: string; name: string; version: number; state: string; note: string; text: string }[];
  };
  return definitions.find((one) => `${one.layer}.${one.name}` === name);
}

/** A view and the SELECT that it must equal, both computed by the engine. */
export async function equals(world: Pick<World, "sql">, name: string, select: string): Promise<void> {
  const rows = async (from: string) =>
    (await world.sql(`SELECT * FROM ${from} ORDER BY ALL`)).map((row) => JSON.stringify(row));
  const [live, batch] = [await rows(name), await rows(`(${select})`)];
  expect(live.length, name).toBeGreaterThan(0);
  expect(live, name).toEqual(batch);
}

/** Everything that a sender was promised is there, once. */
export async function holdsAll(world: Pick<World, "sql">, name: string, { promised }: Sender): Promise<void> {
  const { events, sum } = promised;
  // Rows of `ods` can be seen before those of the models behind them, and a batch's marker after both.
  const markers = () =>
    world.sql<{ stored: string }>(`SELECT sum(stored) AS stored FROM weir.batch WHERE statement = 'ods.${name}'`);
  const holds = ([marked]: readonly { stored: string }[]) => Number(marked!.stored) >= events;
  await until(`${events} rows in ods.${name}`, markers, { holds, withinMs: 20_000 });
  const seen = await world.sql(`SELECT count() AS rows, uniqExact(id) AS ids, sum(n) AS sum FROM ods.${name}`);
  expect(seen).toEqual([{ rows: `${events}`, ids: `${events}`, sum: `${sum}` }]);
}
