#!/usr/bin/env bun
/**
 * The one wiring file: which parts make a platform, and which command runs.
 *
 *   bun web/main.ts <command> [flags]
 *
 * @module
 */
import { join } from "node:path";
import { platformLayer } from "@weir/actors";
import {
  clickHouseWarehouse,
  confluentRegistry,
  embeddedClickHouse,
  externalClickHouse,
  kafkaLog,
  sqliteLog,
} from "@weir/connectors";
import { Effect, Layer } from "effect";
import { run } from "./command/mod.ts";
import type { EngineOn } from "./command/restore.ts";
import type { Parts } from "./command/start.ts";
import type { Config } from "./config.ts";
import { stderrLogger } from "./stderr_logger.ts";

/** The embedded ClickHouse on a data directory. */
const engineOn: EngineOn = (at) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { connection, fallen } = yield* embeddedClickHouse(at);
      yield* Effect.forkScoped(Effect.catch(fallen, gaveUp));
      return clickHouseWarehouse(connection);
    }),
  );

/** Everything behind the door, as configured. */
export function partsOf(config: Config): Layer.Layer<Parts, unknown> {
  const { dataDir, backupsDir = join(dataDir, "backups"), backfillRows } = config;
  const { clickHouseUrl: url, clickHouseCluster: cluster } = config;
  const warehouse = url === undefined ? engineOn({ dataDir, backupsDir }) : externalClickHouse({ url, cluster });
  const outside = Layer.mergeAll(warehouse, logOf(config));
  const backups = url === undefined ? { dir: backupsDir } : {};
  const lands = config.role !== "gateway";
  return Layer.suspend(() =>
    platformLayer({ chunkRows: backfillRows, lands, backups, registry: registryOf(config) }),
  ).pipe(Layer.provideMerge(outside), Layer.provide(stderrLogger));
}

/** The schema registry that the operator names, if one is named. */
function registryOf(config: Config) {
  const { schemaRegistryUrl: url, schemaRegistryCaFile: caFile } = config;
  const { schemaRegistryUser: username, schemaRegistryPassword: password } = config;
  const login = username && password ? { username, password } : undefined;
  return url === undefined ? undefined : confluentRegistry({ url, login, caFile });
}

/** Kafka if brokers are named, else the embedded log. */
function logOf(config: Config) {
  const { dataDir, fsyncDelayMs, kafkaBrokers: brokers, kafkaTls, kafkaCaFile: caFile } = config;
  const { kafkaReplication: replication } = config;
  if (brokers === undefined) return sqliteLog({ dir: dataDir, fsyncDelayMs });
  const { kafkaMechanism: mechanism, kafkaUser: username, kafkaPassword: password } = config;
  const sasl = mechanism && username && password ? { mechanism, username, password } : undefined;
  return kafkaLog({ brokers, tls: kafkaTls ?? caFile !== undefined, caFile, replication, sasl });
}

/** Without a warehouse nothing lands: whoever supervises this process has to hear it. */
const gaveUp = ({ message }: { readonly message: string }) =>
  Effect.sync(() => {
    console.error(message);
    process.exit(1);
  });

if (import.meta.main) process.exitCode = await run(process.argv.slice(2), { partsOf, engineOn });
