/**
 * Models in a scratch engine: planned by its answers, built, and compared with their own SELECT.
 *
 *   text ──readModel──▶ planModel ◀──answers── engine ──▶ tables and views ──▶ finished rows = the SELECT's rows
 *
 * @module
 */
import {
  createFillView,
  createModelTable,
  createModelView,
  type Model,
  type PlanOptions,
  planModel,
  type Readable,
  readableModel,
  readModel,
  stateTable,
} from "@weir/sql";
import type { Engine } from "./conform_engine.ts";

/** Rows that a question answers with, or the engine's refusal. */
async function answerOf(engine: Engine, sql: string) {
  try {
    const text = await engine.run(sql, { settings: { default_format: "JSONEachRow" } });
    const rows = text.split("\n").filter((line) => line !== "");
    return { rows: rows.map((line) => JSON.parse(line) as Record<string, unknown>) };
  } catch (error) {
    const { message } = error as Error;
    if (!message.startsWith("Code:")) throw error;
    return { refused: message };
  }
}

/** A warehouse of models in one engine. */
export class Models {
  readonly #engine: Engine;
  readonly #readable = new Map<string, Readable>();
  readonly #options: PlanOptions;
  readonly questions: string[] = [];

  constructor(engine: Engine, { upstream, options = {} }: { upstream: readonly Readable[]; options?: PlanOptions }) {
    this.#engine = engine;
    this.#options = options;
    for (const readable of upstream) this.#readable.set(readable.name, readable);
  }

  /** Plans a model from its SELECT; throws its error. */
  async plan(path: string, { sql, front = "" }: { sql: string; front?: string }): Promise<Model> {
    const draft = readModel(path, `/*---\nkind: model\ndoc: A model's doc.\n${front}\n---*/\n${sql}\n`);
    const planning = planModel(draft, (name) => this.#readable.get(name), this.#options);
    let step = planning.next();
    while (!step.done) {
      this.questions.push(step.value.sql);
      step = planning.next(await answerOf(this.#engine, step.value.sql));
    }
    return step.value;
  }

  /** Plans a model and creates its table and views. */
  async build(path: string, file: { sql: string; front?: string }): Promise<Model> {
    const model = await this.plan(path, file);
    const table = stateTable(model, 1);
    await this.#engine.run(createModelTable(model, 1));
    const upstreamTable = this.#readable.get(model.feeds ?? "")?.table ?? "";
    await this.#engine.run(createFillView(model, { version: 1, upstreamTable }));
    await this.#engine.run(createModelView(model, 1));
    this.#readable.set(`${model.layer}.${model.name}`, readableModel(model, table));
    return model;
  }

  /** Rows of the finished view and of the author's SELECT over the upstream tables, both in order. */
  async compare(model: Model): Promise<{ readonly live: string; readonly batch: string }> {
    const ordered = (source: string) => `SELECT * FROM ${source} ORDER BY ALL`;
    const batch = model.batchSelect((name) => name);
    return {
      live: await this.#engine.run(ordered(`${model.layer}.${model.name}`)),
      batch: await this.#engine.run(ordered(`(${batch})`)),
    };
  }
}
