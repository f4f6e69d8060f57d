/**
 * Asking the engine what a statement is, before it may run for somebody who is not trusted.
 *
 *   text + parameters ──known?──▶ passes
 *        └──EXPLAIN AST──▶ judgeAst ──▶ Refusal
 *                             └──EXPLAIN QUERY TREE run_passes = 0──▶ judgeTree ──▶ Refusal · passes
 *
 * Neither question runs anything: both stop before names are resolved. The
 * parameters go along, because an Identifier's becomes a name. What has passed
 * is remembered by all that it was judged by; what was refused is judged again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Judgement, judgeAst, judgeTree } from "@weir/sql";
import type { Door } from "./door.ts";
import { orRefuse, Refusal, refusalOf } from "./errors.ts";
import type { SqlTables } from "./sql_scope.ts";
import { placeOf } from "./statement.ts";

/** Bounds of judging. */
export const JUDGE_LIMITS = {
  passedMax: 4_096,
  treeBytesMax: 16 * 2 ** 20,
  secondsMax: 5,
  /** What the question adds to the text. */
  prefixBytesMax: 64,
} as const;

const AST = "EXPLAIN AST ";
const TREE = "EXPLAIN QUERY TREE run_passes = 0 ";

/** A statement to be judged. */
export interface Statement {
  readonly sql: string;
  readonly params: Readonly<Record<string, string>>;
  readonly tables: SqlTables;
}

/** Judges statements; one for each door. */
export class SqlJudge {
  readonly #door: Pick<Door, "run" | "warehouse">;
  /** Keys of what has passed, the least recently used first. */
  readonly #passed = new Set<string>();

  constructor(door: Pick<Door, "run" | "warehouse">) {
    this.#door = door;
  }

  /** Throws a Refusal unless the statement may run. */
  async check(statement: Statement): Promise<void> {
    const key = keyOf(statement);
    if (this.#passed.delete(key)) {
      this.#passed.add(key);
      return;
    }
    const judged = await this.#judge(statement);
    if (judged.verdict !== "passed") throw refusalTo(statement.sql, judged);
    this.#passed.add(key);
    if (this.#passed.size <= JUDGE_LIMITS.passedMax) return;
    for (const oldest of this.#passed) {
      this.#passed.delete(oldest);
      return;
    }
  }

  async #judge(statement: Statement): Promise<Judgement> {
    const { mayRead } = statement.tables;
    const lines = await this.#ask(AST, statement);
    let ownFunctions: ReadonlySet<string> = new Set();
    let judged = judgeAst(lines, { mayRead, ownFunctions });
    if (judged.verdict === "unknown") {
      ownFunctions = await this.#ownFunctions();
      judged = judgeAst(lines, { mayRead, ownFunctions });
    }
    if (judged.verdict !== "unseen") return judged;
    return judgeTree(await this.#ask(TREE, statement), { unseen: judged, ownFunctions });
  }

  /** Functions that definitions made. */
  async #ownFunctions(): Promise<ReadonlySet<string>> {
    const sql = "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'";
    const rows = await orRefuse(this.#door.run(this.#door.warehouse.rows<{ name: string }>("writer", sql)));
    return new Set(rows.map(({ name }) => name));
  }

  /** The lines that the engine answers to `EXPLAIN …`. */
  async #ask(question: string, { sql, params }: Statement): Promise<readonly string[]> {
    const { run, warehouse } = this.#door;
    const exit = await run(
      warehouse.stream({
        account: "reader",
        sql: question + sql,
        // The engine writes this format without threads of its own.
        format: "JSONColumns",
        queryId: `judge-${crypto.randomUUID()}`,
        params,
        settings: {
          readonly: 1,
          max_execution_time: JUDGE_LIMITS.secondsMax,
          max_query_size: Buffer.byteLength(sql) + JUDGE_LIMITS.prefixBytesMax,
        },
      }),
    );
    if (exit._tag === "Failure") throw inText(refusalOf(exit.cause, question + sql), question.length);
    const text = await readWhole(exit.value);
    try {
      const { explain } = JSON.parse(text) as { explain: readonly string[] };
      return explain.map(String);
    } catch {
      // Only a statement that names a format can make the engine write another one.
      throw refusalTo(sql, { verdict: "refused", isForbidden: false, problem: "it names its own format", hint: LEAVE });
    }
  }
}

const LEAVE = "Leave FORMAT and INTO OUTFILE out; choose with ?format= or the Accept header.";

function keyOf({ sql, params, tables }: Statement): string {
  return createHash("sha256")
    .update(JSON.stringify([tables.key, sql, Object.entries(params).sort()]))
    .digest("base64");
}

async function readWhole(stream: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes > JUDGE_LIMITS.treeBytesMax) {
      const hint = "Send a shorter one; large lists of values belong into a table.";
      throw new Refusal(400, "sql_refused", "Cannot judge the statement: it is too large.", hint);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The refusal of a text whose places the engine counted from behind `before` characters that are not the client's. */
function inText(refusal: Refusal, before: number): Refusal {
  const { status, code, hint, at, message } = refusal;
  const back = (_: string, head: string, place: string) => `${head}${Math.max(1, Number(place) - before)}`;
  const said = message
    .replace(/(failed at position )(\d+)/, back)
    .replace(/(\(line 1, col )(\d+)/, back)
    .replace(/EXPLAIN (?:AST|QUERY TREE run_passes = 0) /g, "");
  const isFirst = typeof at === "object" && at !== null && at.line === 1;
  const place = isFirst ? { ...at, column: Math.max(1, at.column - before) } : at;
  return new Refusal(status, code, said, hint, place);
}

function refusalTo(sql: string, judged: Exclude<Judgement, { verdict: "passed" }>): Refusal {
  const said = "Cannot run the statement:";
  switch (judged.verdict) {
    case "refused": {
      const { isForbidden, problem, hint, name } = judged;
      const at = name === undefined ? null : placeOf(sql, name);
      const [status, code] = isForbidden ? ([403, "sql_forbidden"] as const) : ([400, "sql_refused"] as const);
      return new Refusal(status, code, `${said} ${problem}.`, hint, at);
    }
    case "unknown": {
      const [name = ""] = judged.functions;
      const message = `${said} the function '${name.slice(0, 100)}' is not known, or may not be called.`;
      const hint = "Check its name; only functions that were reviewed can be called.";
      return new Refusal(400, "sql_refused", message, hint, placeOf(sql, name));
    }
    case "unseen":
      return new Refusal(400, "sql_refused", `${said} it cannot be judged.`, "Write it in another way.");
  }
}
