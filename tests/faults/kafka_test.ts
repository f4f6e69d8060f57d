/**
 * Faults of real processes and connections on Kafka, each while events come in, each ending in the audit.
 *
 *   kill -9 of workers, gateway, broker, ClickHouse · SIGSTOP beyond the session · connections slow, cut, torn, swallowed ·
 *   a topic created anew · a hot key
 *
 * Prints for each kind the longest time without new rows.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { kafkaLog, Log } from "@weir/connectors";
import { kafkaFor } from "@weir/connectors/testing";
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
const CUTS = 6;

const random = generator(SEED);
const folder = temporaryFolder("kafka-faults");

describe.skipIf(jars === undefined)(`on Kafka (WEIR_SEED=${SEED})`, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(jars!, folder.path);
  }, 90_000);
  afterAll(async () => {
    await stage?.stop();
    folder.remove();
  }, 60_000);

  const times = async (count: number, fault: () => Promise<void>) => {
    for (let left = Math.max(1, Math.round(count)); left > 0; left--) await fault();
  };

  test("kill -9 of workers", async () => {
    const kill = async () => {
      await Bun.sleep(random() * 6_000);
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
      await stage.broker.kill();
      await stage.broker.restart();
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
    ["broker", () => stage.toBroker],
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
          await Bun.sleep(random() * 600);
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
      const topic = (yield* log.topics).find(({ name }) => name === "number");
      yield* log.deleteTopic("number");
      yield* log.createTopic(topic!);
    });
    const layer = kafkaLog({ brokers: [stage.broker.address] });
    await Effect.runPromise(Effect.provide(recreate, layer));
    await stage.play({ name: "topic created anew", play: async () => {} });
    expect(await epochs()).toBe("[1,2]");
  }, 120_000);
});
