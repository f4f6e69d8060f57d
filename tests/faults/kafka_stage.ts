/**
 * The stage of the faults on Kafka: brokers, one ClickHouse behind a proxy, a gateway and two workers.
 *
 *   producer ──▶ gateway ──▶ brokers ◀── workers ──▶ proxy ──▶ ClickHouse ◀── watch, audit
 *
 * Each fault is played while events come in; then the audit: what was
 * acknowledged is there once, and every row belongs to one record and one marker.
 *
 * @module
 */
import { expect } from "bun:test";
import { join } from "node:path";
import { TcpProxy } from "@weir/connectors/testing";
import { type DoorProcess, startProcess, until } from "../door_process.ts";
import { type Engine, openEngine } from "../engine.ts";
import { applied } from "../models_fixture.ts";
import { Producer, SOURCE } from "./producer.ts";

const BATCH = 50;
/** Of so many requests with a key one is sent again. */
const AGAIN_EVERY = 5;
/** Ids of one fault's events; the next one's begin behind them. */
const IDS_PER_FAULT = 10_000_000;
const WATCH_MS = 50;
const LOOK_MS = 100;
const SAID_CHARS_MAX = 4_000;
/** A dead member is noticed after ten seconds, and every retry has its pause. */
const RECOVERY_MS_MAX = 60_000;

/** All of the numbers in one partition. */
const HOT = SOURCE.replaceAll("number", "hot")
  .replace("key: id", "key: shard\npartitions: 4")
  .replace("n UInt32", "n UInt32, shard String");

/** One fault: what it is called, where events go and how fast, what is done while they do. */
export interface Fault {
  readonly name: string;
  readonly source?: "number" | "hot";
  /** Between two requests of a sender; none by default. */
  readonly pauseMs?: number;
  readonly play: () => Promise<void>;
}

/** What stands for Kafka: addresses that brokers answer at. */
export interface Brokers {
  readonly addresses: readonly string[];
  /** On how many of them each record is kept; as they do by default. */
  readonly replication?: number;
  readonly stop: () => Promise<void>;
}

/** How a process of the stage differs from the usual one. */
interface ProcessOptions {
  /** A file run before it. */
  readonly preload?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a time without ClickHouse has shown. */
export interface WithoutEngine {
  /** Events acknowledged in its second half. */
  readonly taken: number;
  /** By which the processes grew at most, in MiB. */
  readonly grownMiB: Readonly<Record<string, number>>;
}

export class Stage {
  engine: Engine;
  readonly toEngine: TcpProxy;
  readonly workers: DoorProcess[] = [];
  gateway!: DoorProcess;
  readonly #brokers: Brokers;
  readonly #folder: string;
  #producer: Producer | undefined;
  #watch: Watch | undefined;
  #starts = 0;
  #faults = 0;

  private constructor(parts: Pick<Stage, "engine" | "toEngine">, of: { brokers: Brokers; folder: string }) {
    this.engine = parts.engine;
    this.toEngine = parts.toEngine;
    this.#brokers = of.brokers;
    this.#folder = of.folder;
  }

  /** Starts ClickHouse, a gateway and two workers beside brokers that answer; `stop` ends those as well. */
  static async open(brokers: Brokers, folder: string): Promise<Stage> {
    const [toEngine, engine] = await Promise.all([TcpProxy.open(), openEngine(join(folder, "engine"))]);
    toEngine.target = Number(new URL(engine.url).port);
    const stage = new Stage({ engine, toEngine }, { brokers, folder });
    stage.gateway = await stage.start("gateway");
    await applied(stage.gateway, {
      "ods/number.sql": SOURCE.replace("key: id", "key: id\npartitions: 4"),
      "ods/hot.sql": HOT,
    });
    stage.workers.push(await stage.start("worker"), await stage.start("worker"));
    return stage;
  }

  /** Starts a process of its own data directory, that reaches ClickHouse through the proxy. */
  start(role: "gateway" | "worker", { preload, env = {} }: ProcessOptions = {}): Promise<DoorProcess> {
    const clickHouse = new URL(this.engine.url);
    clickHouse.port = String(this.toEngine.port);
    const { addresses, replication } = this.#brokers;
    const own = {
      KAFKA_BROKERS: addresses.join(","),
      ...(replication !== undefined && { KAFKA_REPLICATION: String(replication) }),
      CLICKHOUSE_URL: clickHouse.href,
      WEIR_ROLE: role,
    };
    const dataDir = join(this.#folder, `${role}_${this.#starts++}`);
    return startProcess({ dataDir, preload, env: { ...own, ...env } });
  }

  /** Kills a worker and starts another one in its place. */
  async replaceWorker(index: number, options: ProcessOptions = {}): Promise<void> {
    await this.workers[index]!.kill();
    this.workers[index] = await this.start("worker", options);
  }

  /** Stops ClickHouse and starts it again after a while; says what the others did meanwhile. */
  async withoutEngine(awayMs: number): Promise<WithoutEngine> {
    await this.engine.stop();
    const processes = { gateway: this.gateway, first: this.workers[0]!, second: this.workers[1]! };
    const before = Object.values(processes).map(({ memoryMiB }) => memoryMiB());
    const most = [...before];
    let atHalf: number | undefined;
    for (const beganMs = performance.now(); performance.now() - beganMs < awayMs; await Bun.sleep(LOOK_MS)) {
      for (const [index, { memoryMiB }] of Object.values(processes).entries())
        most[index] = Math.max(most[index]!, memoryMiB());
      if (performance.now() - beganMs >= awayMs / 2) atHalf ??= this.#producer?.promised.events;
    }
    const taken = (this.#producer?.promised.events ?? 0) - (atHalf ?? 0);
    this.engine = await openEngine(join(this.#folder, "engine"));
    this.toEngine.target = Number(new URL(this.engine.url).port);
    const grown = Object.keys(processes).map((name, index) => [name, most[index]! - before[index]!]);
    return { taken, grownMiB: Object.fromEntries(grown) };
  }

  async replaceGateway(): Promise<void> {
    if (this.#producer !== undefined) this.#producer.door = undefined;
    await this.gateway.kill();
    this.gateway = await this.start("gateway");
    if (this.#producer !== undefined) this.#producer.door = this.gateway;
  }

  /** While a fault is played: waits until there are more rows than now. */
  async grows(): Promise<void> {
    await this.#watch?.grows();
  }

  /** Plays a fault under load, waits until rows come again, and audits; answers for how many milliseconds none came. */
  async play({ name, source = "number", pauseMs, play }: Fault): Promise<number> {
    const first = IDS_PER_FAULT * this.#faults++;
    const beside = source === "hot" ? { beside: { shard: "one" } } : {};
    const producer = new Producer(this.gateway, {
      ...{ senders: 2, keyed: 1, againEvery: AGAIN_EVERY, batch: BATCH, source, first, pauseMs },
      ...beside,
    });
    this.#producer = producer;
    const watch = new Watch(() => this.#rows(source));
    this.#watch = watch;
    await watch.grows();
    await play();
    await watch.grows();
    await producer.stop();
    const longestMs = await watch.stop();
    this.#producer = undefined;
    const { promised, repeated, unsure } = producer;
    console.log(
      `${name}: at most ${(longestMs / 1_000).toFixed(1)} s without new rows; ${promised.events} events acknowledged, ${repeated} requests repeated under their keys, ${unsure.length} unsure`,
    );
    await this.#audit(producer, { source, first });
    return longestMs;
  }

  async #audit({ promised, unsure }: Producer, { source, first }: { source: string; first: number }): Promise<void> {
    const number = "toUInt64(id)";
    const isSure = `${number} >= ${first} AND ${number} < ${first + IDS_PER_FAULT}
      AND NOT has(CAST([${unsure}] AS Array(UInt64)), intDiv(${number}, ${BATCH}) * ${BATCH})`;
    const look = async () => {
      const markers = await this.engine.ask(`SELECT sum(stored) FROM weir.batch WHERE statement = 'ods.${source}'`);
      const row = await this.engine.ask(
        `SELECT count() AS rows, uniqExact(_epoch, _partition, _offset) AS records,
                countIf(${isSure}) AS sure, uniqExactIf(id, ${isSure}) AS ids, sumIf(n, ${isSure}) AS sum
         FROM ods.${source} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0`,
      );
      const seen = JSON.parse(row) as Record<"rows" | "records" | "sure" | "ids" | "sum", number>;
      return { ...seen, markers: Number(markers) };
    };
    const holds = ({ sure, rows, markers }: Awaited<ReturnType<typeof look>>) =>
      sure >= promised.events && rows === markers;
    const seen = await until("landing", look, { holds, withinMs: RECOVERY_MS_MAX }).catch(async (error) => {
      for (const worker of this.workers) console.log(await saidBy(worker));
      throw error;
    });
    const { events, sum } = promised;
    expect(seen).toEqual({ rows: seen.rows, records: seen.rows, sure: events, ids: events, sum, markers: seen.rows });
  }

  async #rows(source: string): Promise<number> {
    return Number(await this.engine.ask(`SELECT count() FROM ods.${source}`));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.workers, this.gateway].map((door) => door?.stop()));
    await this.engine.stop();
    await this.#brokers.stop();
    await this.toEngine.stop();
  }
}

/** What a worker says of itself, for an audit that fails: its actors, and the end of what it logged. */
async function saidBy({ pid, get, stderr }: DoorProcess): Promise<string> {
  const actors = await get("/v1/admin/actors").then((answer) => answer.text(), String);
  return `worker ${pid}: ${actors}\n${stderr().slice(-SAID_CHARS_MAX)}`;
}

/** Watches the rows of a table: how long none came at most. */
class Watch {
  #rows = 0;
  #grewAtMs = performance.now();
  #longestMs = 0;
  #isWatching = true;
  readonly #watching: Promise<void>;

  constructor(rows: () => Promise<number>) {
    this.#watching = this.#watch(rows);
  }

  /** Waits until there are more rows than now. */
  async grows(): Promise<void> {
    const before = this.#rows;
    await until("new rows", () => this.#rows, { holds: (rows) => rows > before, withinMs: RECOVERY_MS_MAX });
  }

  /** The longest time without new rows, in milliseconds. */
  async stop(): Promise<number> {
    this.#isWatching = false;
    await this.#watching;
    return this.#longestMs;
  }

  async #watch(rows: () => Promise<number>): Promise<void> {
    while (this.#isWatching) {
      // A ClickHouse that does not answer shows no new rows.
      const seen = await rows().catch(() => this.#rows);
      const nowMs = performance.now();
      if (this.#rows > 0) this.#longestMs = Math.max(this.#longestMs, nowMs - this.#grewAtMs);
      if (seen > this.#rows) {
        this.#rows = seen;
        this.#grewAtMs = nowMs;
      }
      await Bun.sleep(WATCH_MS);
    }
  }
}
