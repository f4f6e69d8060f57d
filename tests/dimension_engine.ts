/**
 * Dimensions on a scratch engine: read as whoever applies them does, loaded, published, asked.
 *
 *   text ──dimensionOf──▶ Dimension ──load──▶ weir_state.dim__x__v1 ──publish──▶ dim.x ──rows──▶ test
 *
 * @module
 */
import { join } from "node:path";
import { embeddedClickHouse } from "@weir/connectors";
import {
  createDimensionTable,
  createWeirTables,
  type Dimension,
  dimensionTable,
  finishDimension,
  loadProblem,
  loadStatements,
  publishDimension,
  readDimension,
  typesQuestion,
} from "@weir/sql";
import { Effect, Exit, Logger, Scope } from "effect";
import { temporaryFolder } from "./door_process.ts";

/** The bytes of a file. */
export type Body = string | Uint8Array<ArrayBuffer>;
type Account = "admin" | "writer" | "reader";
interface About {
  readonly body?: Body;
  readonly settings?: Readonly<Record<string, string | number>>;
}
interface Open {
  readonly ask: (account: Account, sql: string, about?: About) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** A definition's text over columns. */
export function text(name: string, columns: string, front = "from: { file: x.csv }"): string {
  return `/*---\nkind: dimension\ndoc: Things.\nkey: k\n${front}\n---*/\nCREATE TABLE dim.${name} (${columns})\n`;
}

/** An engine with Weir's databases and its three accounts, on a folder that outlives a restart. */
export class DimensionEngine {
  readonly #folder = temporaryFolder("dimension");
  #engine: Open | undefined;

  async open(): Promise<void> {
    this.#engine = await openEngine(this.#folder.path);
    for (const statement of createWeirTables()) await this.ask("admin", statement);
  }

  async restart(): Promise<void> {
    await this.#engine?.close();
    this.#engine = await openEngine(this.#folder.path);
  }

  async close(): Promise<void> {
    await this.#engine?.close();
    this.#folder.remove();
  }

  /** Runs one statement; throws the engine's message. */
  ask(account: Account, sql: string, about?: About): Promise<string> {
    if (this.#engine === undefined) throw new Error("The engine is not open");
    return this.#engine.ask(account, sql, about);
  }

  async rows<Row = Record<string, unknown>>(sql: string, account: Account = "writer"): Promise<Row[]> {
    const answer = await this.ask(
      account,
      `${sql} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 1`,
    );
    return answer === "" ? [] : answer.split("\n").map((line) => JSON.parse(line) as Row);
  }

  /** Reads a definition; the engine describes the types. */
  async dimensionOf(name: string, content: string): Promise<Dimension> {
    const draft = readDimension(`dim/${name}.sql`, content);
    return finishDimension(draft, await this.rows(typesQuestion(draft)));
  }

  /** Loads a file into a version's fresh table; throws what people would read. */
  async load(dimension: Dimension, body: Body, version = 1): Promise<string> {
    const table = dimensionTable(dimension, version);
    await this.ask("writer", `DROP TABLE IF EXISTS ${table} SYNC`);
    await this.ask("writer", createDimensionTable(dimension, version));
    try {
      for (const { statement, settings } of loadStatements(dimension, table))
        await this.ask("writer", statement, { body, settings });
    } catch (error) {
      throw new Error(loadProblem((error as Error).message));
    }
    return table;
  }

  async publish(dimension: Dimension, version: number, before?: Dimension): Promise<void> {
    for (const statement of publishDimension({ dimension, version }, before)) await this.ask("writer", statement);
  }

  /** A small Parquet file, written by the engine itself. */
  async parquet(select: string): Promise<Uint8Array<ArrayBuffer>> {
    const path = join(this.#folder.path, `${crypto.randomUUID()}.parquet`);
    await this.ask("admin", `INSERT INTO FUNCTION file('${path}', 'Parquet') ${select}`);
    return new Uint8Array(await Bun.file(path).arrayBuffer());
  }
}

async function openEngine(dataDir: string): Promise<Open> {
  const scope = Scope.makeUnsafe();
  const starting = embeddedClickHouse({ dataDir }).pipe(Scope.provide(scope), Effect.provide(Logger.layer([])));
  const { url, accounts } = (await Effect.runPromise(starting)).connection;
  const ask: Open["ask"] = async (account, sql, { body, settings = {} } = {}) => {
    const { user, password } = accounts[account];
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(settings)) search.set(name, String(value));
    search.set("wait_end_of_query", "1");
    if (body !== undefined) search.set("query", sql);
    const headers = { "x-clickhouse-user": user, "x-clickhouse-key": password };
    const request = { method: "POST", body: body ?? sql, headers, keepalive: false };
    const response = await fetch(`${url}/?${search}`, request);
    const answer = await response.text();
    if (!response.ok) throw new Error(answer.split("\n")[0]);
    return answer.trimEnd();
  };
  return { ask, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) };
}
