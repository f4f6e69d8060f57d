import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Effect, Schedule } from "effect";
import { type GuardedAddresses, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
import { type KafkaLogOptions, kafkaLog } from "./kafka_log/mod.ts";
import { Log, type LogFailed } from "./log.ts";
import { at, freshTopic, packed, valuesOf } from "./log_contract_fixture.ts";

const jars = kafkaFor("connectors/kafka_log_login_test.ts");
const MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;

describe.skipIf(jars === undefined)("kafkaLog() before guarded brokers", () => {
  let broker: TestBroker;
  let guarded: GuardedAddresses;
  beforeAll(async () => {
    broker = await startBroker(jars!, { guards: true });
    guarded = broker.guarded!;
  }, 60_000);
  afterAll(() => broker?.stop());

  const withLog = <A>(options: KafkaLogOptions, body: Effect.Effect<A, unknown, Log>) =>
    Effect.runPromise(Effect.provide(body, kafkaLog(options)));
  const failure = (options: KafkaLogOptions) =>
    Effect.runPromise(Effect.flip(Effect.provide(Effect.void, kafkaLog(options))));
  const login = (mechanism: (typeof MECHANISMS)[number], password = guarded.password) => ({
    ...{ mechanism, username: guarded.username, password },
  });

  const isLater = (error: LogFailed) => error.retriable;

  /** Through every kind of connection: topics, an append, a read, and a group's coordinator. */
  const roundTrip = Effect.gen(function* () {
    const log = yield* Log;
    const topic = yield* freshTopic(1);
    yield* log.append([{ topic, partition: 0, records: packed(["guarded"]) }]);
    const committed = log.committed({ group: topic, topic });
    // the broker's first group: its coordinator is loading
    expect(yield* Effect.retry(committed, { while: isLater, schedule: Schedule.spaced("100 millis") })).toEqual([]);
    return valuesOf(yield* log.read(at(topic)));
  });

  test("speaks TLS with brokers whose authority it is told", async () => {
    const options = { brokers: [guarded.tls], tls: true, caFile: guarded.caFile };
    expect(await withLog(options, roundTrip)).toEqual(["guarded"]);
  });

  test.each(MECHANISMS)("logs in by %s, over TLS and without it", async (mechanism) => {
    const open = { brokers: [guarded.login], sasl: login(mechanism) };
    expect(await withLog(open, roundTrip)).toEqual(["guarded"]);
    const encrypted = { brokers: [guarded.tlsLogin], tls: true, caFile: guarded.caFile, sasl: login(mechanism) };
    expect(await withLog(encrypted, roundTrip)).toEqual(["guarded"]);
  });

  test.each(MECHANISMS)("says that %s refuses a wrong password", async (mechanism) => {
    const refused = await failure({ brokers: [guarded.login], sasl: login(mechanism, "not-the-one") });
    expect(refused).toMatchObject({ reason: "unavailable", retriable: false });
    expect(refused.message).toBe(
      "Cannot connect to Kafka: Kafka refuses this user (SASL). Check the mechanism, the user, its password and its ACLs.",
    );
  });

  const mistakes = (): readonly (readonly [string, KafkaLogOptions, retriable: boolean, message: string])[] => [
    [
      "another authority",
      { brokers: [guarded.tls], tls: true, caFile: guarded.otherCaFile },
      false,
      "certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT). Set KAFKA_CA_FILE",
    ],
    ["no authority", { brokers: [guarded.tls], tls: true }, false, "Set KAFKA_CA_FILE"],
    ["TLS where there is none", { brokers: [broker.address], tls: true }, true, "Check that KAFKA_TLS"],
    ["no TLS where there is", { brokers: [guarded.tls] }, true, "Check that KAFKA_TLS and KAFKA_SASL_MECHANISM"],
    ["no login where one is asked for", { brokers: [guarded.login] }, true, "KAFKA_SASL_MECHANISM are what"],
    ["a login where none is asked for", { brokers: [broker.address], sasl: login("plain") }, false, "takes no login"],
    ["a port without a broker", { brokers: ["127.0.0.1:1"] }, true, "no broker answers (ECONNREFUSED)"],
    [
      "a file of something else",
      { brokers: [guarded.tls], tls: true, caFile: import.meta.path },
      false,
      "Cannot read the file of authorities",
    ],
    [
      "a file that is not there",
      { brokers: [guarded.tls], tls: true, caFile: "/gone.pem" },
      false,
      "Cannot read the file",
    ],
  ];

  test("says what to do about each mistake within seconds, and no secret", async () => {
    const heard = await Promise.all(mistakes().map(([, options]) => failure(options)));
    for (const [n, [, , retriable, message]] of mistakes().entries()) {
      expect(heard[n]!.message).toContain(message);
      expect(heard[n]!.retriable).toBe(retriable);
      expect(heard[n]!.message).not.toContain(guarded.password);
    }
  }, 10_000);
});
