/**
 * Faults of real processes and connections on Kafka, each while events come in, each ending in the audit.
 *
 *   kill -9 of workers, gateway, broker, ClickHouse · ClickHouse away · SIGSTOP beyond the session · full disks ·
 *   clocks that jump · connections slow, cut, torn, swallowed · a topic created anew · a hot key
 *
 * Prints for each kind the longest time without new rows.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaLog, Log } from "@weir/connectors";
import { kafkaFor, startBroker, TcpProxy, type TestBroker } from "@weir/connectors/testing";
import { Effect } from "effect";
import { temporaryFolder, until } from "../door_process.ts";
import { generator } from "../simulation/world.ts";
import { Stage } from "./kafka_stage.ts";

const jars = kafkaFor("tests/faults/kafka_test.ts");
const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));
/** Kills of all kinds but ClickHouse's; more where there is time. */
const KILLS = Math.ceil(Number(process.env.WEIR_KILLS ?? 8) / 2);
/** Few: whoever falls again and again is started later and later. */
const ENGINE_KILLS = 3;
/** Longer than a silent member keeps its partitions. */
const STOP_MS = 13_000;
const NETWORK_MS = 3_000;
/** How long ClickHouse is away; an outage where there is time. */
const DOWN_SECONDS = Number(process.env.WEIR_DOWN_SECONDS ?? 5);
/** Between two requests of a sender meanwhile: what has gathered must land afterwards. */
const DOWN_PAUSE_MS = 20;
/** What a process may grow by, in MiB, while ClickHouse is away: events wait in Kafka, not in memory. */
const GROWTH_MIB_MAX = 150;
const FULL_MS = 3_000;
/** More than any disk has free. */
const FREE_BYTES_NEVER = 2n ** 60n;
/** By how many hours a clock is off, one after the other; right again in the end. */
const CLOCK_HOURS = [3, -3, 0];
/** Records of each partition that land under each of them: some batches. */
const CLOCK_RECORDS = 1_000;
/** Landed an hour ago: after what a clock that is behind would announce, and enough to make a warehouse forget it. */
const EARLIER_BATCHES = 2_000;
const CLOCK = new URL("clock_preload.ts", import.meta.url).pathname;
const CUTS = 20;

const random = generator(SEED);
const folder = temporaryFolder("kafka-faults");

describe.skipIf(jars === undefined)(`on Kafka (WEIR_SEED=${SEED})`, () => {
  let broker: TestBroker;
  let toBroker: TcpProxy;
  let stage: Stage;
  beforeAll(async () => {
    toBroker = await TcpProxy.open();
    broker = await startBroker(jars!, { advertisedPort: toBroker.port });
    toBroker.target = Number(new URL(`tcp://${broker.address}`).port);
    const stop = async () => {
      await broker.stop();
      await toBroker.stop();
    };
    stage = await Stage.open({ addresses: [`127.0.0.1:${toBroker.port}`], stop }, folder.path);
  }, 90_000);
  afterAll(async () => {
    await (stage ?? broker)?.stop();
    folder.remove();
  }, 60_000);

  const times = async (count: number, fault: () => Promise<void>) => {
    for (let left = Math.max(1, Math.round(count)); left > 0; left--) await fault();
  };

  test("kill -9 of workers", async () => {
    const kill = async () => {
      await Bun.sleep(random() * 2_000);
      await stage.replaceWorker(Math.floor(random() * 2));
    };
    await stage.play({ name: "worker killed", play: () => times(KILLS * 0.2, kill) });
  }, 300_000);

  test("kill -9 of the gateway", async () => {
    const kill = async () => {
      await Bun.sleep(random() * 1_000);
      await stage.replaceGateway();
    };
    await stage.play({ name: "gateway killed", play: () => times(KILLS * 0.4, kill) });
  }, 180_000);

  test("kill -9 of the broker", async () => {
    const kill = async () => {
      await Bun.sleep(500 + random() * 1_000);
      await broker.kill();
      await broker.restart();
    };
    await stage.play({ name: "broker killed", play: () => times(KILLS * 0.08, kill) });
  }, 180_000);

  test("kill -9 of ClickHouse", async () => {
    const kill = async () => {
      await Bun.sleep(300 + random() * 1_000);
      const before = stage.engine.pid();
      process.kill(before, "SIGKILL");
      const holds = (pid: number) => pid !== before;
      await until("a new ClickHouse", () => stage.engine.pid(), { holds, withinMs: 20_000 });
      const answers = async () => (await stage.engine.ask("SELECT 1")) === "1";
      await until("its answer", answers, { holds: (is) => is, withinMs: 20_000 });
    };
    await stage.play({ name: "ClickHouse killed", play: () => times(ENGINE_KILLS, kill) });
  }, 180_000);

  test(
    `ClickHouse away for ${DOWN_SECONDS} s (WEIR_DOWN_SECONDS): events are taken meanwhile, memory is bounded`,
    async () => {
      const play = async () => {
        const { taken, grownMiB } = await stage.withoutEngine(DOWN_SECONDS * 1_000);
        console.log(`${taken} events acknowledged in the second half, MiB more memory: ${JSON.stringify(grownMiB)}`);
        expect(taken).toBeGreaterThan(0);
        expect(Math.max(...Object.values(grownMiB))).toBeLessThan(GROWTH_MIB_MAX);
      };
      await stage.play({ name: `ClickHouse away for ${DOWN_SECONDS} s`, pauseMs: DOWN_PAUSE_MS, play });
    },
    180_000 + 2_000 * DOWN_SECONDS,
  );

  test.each([
    ["rows", "weir_state.ods__number__v1"],
    ["markers", "weir.batch"],
  ])(
    "ClickHouse's disk has no room for %s: they wait until there is",
    async (of, table) => {
      const alter = (change: string) => stage.engine.ask(`ALTER TABLE ${table} ${change}`);
      const setting = "min_free_disk_bytes_to_perform_insert";
      const play = async () => {
        await alter(`MODIFY SETTING ${setting} = ${FREE_BYTES_NEVER}`);
        await Bun.sleep(FULL_MS);
        await alter(`RESET SETTING ${setting}`);
      };
      const pauseMs = DOWN_PAUSE_MS;
      expect(await stage.play({ name: `no room for ${of}`, pauseMs, play })).toBeGreaterThan(FULL_MS / 2);
    },
    120_000,
  );

  test("the broker's disk is full: it ends, and nothing that it acknowledged is lost", async () => {
    const play = async () => {
      // As at a full disk, no file grows any more: the broker gives its folder up, and ends.
      expect(Bun.spawnSync(["prlimit", `--pid=${broker.pid()}`, "--fsize=0"]).success).toBe(true);
      await broker.ended();
      await broker.restart();
    };
    await stage.play({ name: "broker's disk full", play });
  }, 120_000);

  test(`a worker's clock jumps by ${CLOCK_HOURS.join(", ")} hours: it goes on meanwhile`, async () => {
    const file = join(folder.path, "clock");
    const clock = { preload: CLOCK, env: { WEIR_CLOCK_FILE: file } };
    await stage.replaceWorker(0, clock);
    await stage.engine.ask(`INSERT INTO weir.batch (statement, token, landed_at)
      SELECT 'ods.number', toString(number), now64(3) - INTERVAL 1 HOUR FROM numbers(${EARLIER_BATCHES})`);
    const slowest = async () =>
      Number(
        await stage.engine.ask(
          `SELECT min(last) FROM (SELECT max(_offset) AS last FROM ods.number GROUP BY _partition)`,
        ),
      );
    const play = async () => {
      for (const hours of CLOCK_HOURS) {
        writeFileSync(file, String(hours * 3_600_000));
        const before = await slowest();
        const holds = (last: number) => last > before + CLOCK_RECORDS;
        await until("new rows in every partition", slowest, { holds, withinMs: 30_000 });
      }
    };
    await stage.play({ name: "clock jumps", play });
  }, 120_000);

  test("SIGSTOP of a worker beyond its session: it wakes into a group that has gone on", async () => {
    const { pid } = stage.workers[0]!;
    await stage.play({
      name: "worker stopped",
      play: async () => {
        process.kill(pid, "SIGSTOP");
        await Bun.sleep(STOP_MS);
        process.kill(pid, "SIGCONT");
      },
    });
  }, 120_000);

  describe.each([
    ["broker", () => toBroker],
    ["ClickHouse", () => stage.toEngine],
  ] as const)("connections to the %s", (of, proxy) => {
    test.each(["slow", "black hole"] as const)(
      "%s",
      async (passage) => {
        const play = async () => {
          proxy().passage = passage;
          await Bun.sleep(NETWORK_MS);
          proxy().passage = "open";
        };
        await stage.play({ name: `connections to the ${of}: ${passage}`, play });
      },
      120_000,
    );

    test.each(["cut", "reset"] as const)(
      "%s",
      async (fault) => {
        const once = async () => {
          await Bun.sleep(random() * 200);
          proxy()[fault]();
        };
        await stage.play({ name: `connections to the ${of}: ${fault}`, play: () => times(CUTS, once) });
      },
      120_000,
    );
  });

  test("a hot key: everything in one partition, its worker killed", async () => {
    await stage.play({ name: "hot key", source: "hot", play: () => stage.replaceWorker(Math.floor(random() * 2)) });
    expect(await stage.engine.ask("SELECT uniqExact(_partition) FROM ods.hot")).toBe("1");
  }, 120_000);

  test("a topic created anew: a new epoch, and the rows of the old one stay", async () => {
    const epochs = () => stage.engine.ask("SELECT arraySort(groupUniqArray(_epoch)) FROM ods.number");
    expect(await epochs()).toBe("[1]");
    const recreate = Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* log.topic("number");
      yield* log.deleteTopic("number");
      yield* log.createTopic(topic!);
    });
    const layer = kafkaLog({ brokers: [broker.address] });
    await Effect.runPromise(Effect.provide(recreate, layer));
    await stage.play({ name: "topic created anew", play: async () => {} });
    expect(await epochs()).toBe("[1,2]");
  }, 120_000);
});
