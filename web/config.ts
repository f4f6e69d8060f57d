/**
 * Configuration: environment and flags, read once, checked by zod. Nobody else touches `process.env`.
 *
 *   flags over environment over defaults ──▶ Config
 *
 * @module
 */
import { resolve } from "node:path";
import { z } from "zod";

const PORT_FORM = "a port is a whole number from 0 to 65535";

const REPLICATION_FORM = "a number of brokers is a whole number from 1 to 15";

const SWITCHES: Readonly<Record<string, boolean>> = { "1": true, true: true, "0": false, false: false };
const ROLES = ["all", "gateway", "worker"] as const;
const MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const ADDRESSES = /^([^\s,:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}(,([^\s,:/]+|\[[0-9a-fA-F:]+\]):\d{1,5})*$/;

/** Whether an address holds neither credentials nor a query, which would be lost behind its path. */
function isBare(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password, search, hash } = new URL(text);
  return `${username}${password}${search}${hash}` === "";
}

/** Everything that can be configured from outside. */
export const configSchema = z.object({
  /** Where everything durable lies; made when it is missing. */
  dataDir: z
    .string()
    .min(1)
    .default(".weir/data")
    .transform((path) => resolve(path)),
  /** Folder of definitions that `start` applies first; none by default. */
  projectDir: z
    .string()
    .min(1)
    .transform((path) => resolve(path))
    .optional(),
  /** Folder of backups, on the machine of the door; `backups` in the data directory by default. */
  backupsDir: z
    .string()
    .min(1)
    .transform((path) => resolve(path))
    .optional(),
  host: z.string().min(1).default("127.0.0.1"),
  /** 0 takes any free port. */
  port: z.coerce.number(PORT_FORM).int(PORT_FORM).min(0, PORT_FORM).max(65_535, PORT_FORM).default(8_080),
  /** An external ClickHouse instead of the embedded one, with credentials; one address for each shard of a cluster. */
  clickHouseUrl: z.string().min(1).optional(),
  /** The cluster whose shards those are, as the servers' own configuration names it. */
  clickHouseCluster: z.string().min(1).max(200).optional(),
  /** What this process does: the door, the landing, or both. */
  role: z.enum(ROLES, `a role is ${ROLES.join(", ")}`).default("all"),
  /** Kafka instead of the embedded log: some of its brokers. */
  kafkaBrokers: z
    .string()
    .regex(ADDRESSES, "brokers are written host:port,host:port")
    .transform((list) => list.split(","))
    .optional(),
  kafkaTls: z
    .enum(Object.keys(SWITCHES), "say 1 or 0")
    .transform((said) => SWITCHES[said]!)
    .optional(),
  /** PEM file of the authorities that the brokers' certificates are checked against; the machine's own by default. */
  kafkaCaFile: z.string().min(1).optional(),
  /** On how many brokers topics that Weir makes are kept; the brokers' own default otherwise. */
  kafkaReplication: z.coerce
    .number(REPLICATION_FORM)
    .int(REPLICATION_FORM)
    .min(1, REPLICATION_FORM)
    .max(15, REPLICATION_FORM)
    .optional(),
  kafkaMechanism: z
    .string()
    .transform((said) => said.toLowerCase())
    .pipe(z.enum(MECHANISMS, `a mechanism is ${MECHANISMS.join(", ")}`))
    .optional(),
  kafkaUser: z.string().min(1).optional(),
  kafkaPassword: z.string().min(1).optional(),
  /** Where other producers keep the schemas of their records; no definition can name another place. */
  schemaRegistryUrl: z
    .url({ protocol: /^https?$/, error: "it is the address of a schema registry, like https://registry:8081" })
    .refine(isBare, "its credentials belong into SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD")
    .optional(),
  schemaRegistryUser: z.string().min(1).optional(),
  schemaRegistryPassword: z.string().min(1).optional(),
  /** PEM file of the authorities that the registry's certificate is checked against; the machine's own by default. */
  schemaRegistryCaFile: z.string().min(1).optional(),
  /** Milliseconds added to each fsync of the embedded log, to feel like a slower disk; for benchmarks. */
  fsyncDelayMs: z.coerce.number().min(0).max(1_000).default(0),
  /** Rows that one insert of a backfill reads. */
  backfillRows: z.coerce.number().int().min(1).max(10_000_000).default(500_000),
});

export type Config = z.output<typeof configSchema>;

/** What one setting asks of others; the first that is missing is named. */
function missingBeside(config: Config): string | undefined {
  const { role, kafkaBrokers, clickHouseUrl, clickHouseCluster, kafkaMechanism, kafkaUser, kafkaPassword } = config;
  if (clickHouseCluster !== undefined && clickHouseUrl === undefined)
    return "Cannot use CLICKHOUSE_CLUSTER: its servers are not said. Set CLICKHOUSE_URL to the address of each shard, separated by commas.";
  const isShared = kafkaBrokers !== undefined && clickHouseUrl !== undefined;
  if (role !== "all" && !isShared)
    return `Cannot start as ${role}: several processes need a log and a warehouse that they share. Set KAFKA_BROKERS and CLICKHOUSE_URL, or leave --role out.`;
  const said = [kafkaMechanism, kafkaUser, kafkaPassword].filter((part) => part !== undefined).length;
  if (said !== 0 && said !== 3)
    return "Cannot log in to Kafka: set KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD together, or none of them.";
  const { schemaRegistryUrl: url, schemaRegistryUser: user, schemaRegistryPassword: password } = config;
  if ((user === undefined) !== (password === undefined))
    return "Cannot log in to the schema registry: set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD together, or none of them.";
  if (url !== undefined || (user ?? config.schemaRegistryCaFile) === undefined) return undefined;
  return "Cannot use a schema registry without its address: set SCHEMA_REGISTRY_URL.";
}

/** A configuration that cannot be used. */
export class ConfigInvalid extends Error {
  override readonly name = "ConfigInvalid";
}

/** What flags may say; they win over the environment. */
export type Flags = Readonly<Partial<Record<keyof Config, string | undefined>>>;

/** Where each setting is said: in the environment, and some by a flag. */
export const SETTINGS: Readonly<Record<keyof Config, { readonly variable: string; readonly flag?: string }>> = {
  dataDir: { variable: "WEIR_DATA", flag: "--data" },
  projectDir: { variable: "WEIR_PROJECT", flag: "--project" },
  backupsDir: { variable: "WEIR_BACKUPS", flag: "--backups" },
  host: { variable: "WEIR_HOST", flag: "--host" },
  port: { variable: "WEIR_PORT", flag: "--port" },
  clickHouseUrl: { variable: "CLICKHOUSE_URL" },
  clickHouseCluster: { variable: "CLICKHOUSE_CLUSTER" },
  role: { variable: "WEIR_ROLE", flag: "--role" },
  kafkaBrokers: { variable: "KAFKA_BROKERS" },
  kafkaTls: { variable: "KAFKA_TLS" },
  kafkaCaFile: { variable: "KAFKA_CA_FILE" },
  kafkaReplication: { variable: "KAFKA_REPLICATION" },
  kafkaMechanism: { variable: "KAFKA_SASL_MECHANISM" },
  kafkaUser: { variable: "KAFKA_USERNAME" },
  kafkaPassword: { variable: "KAFKA_PASSWORD" },
  schemaRegistryUrl: { variable: "SCHEMA_REGISTRY_URL" },
  schemaRegistryUser: { variable: "SCHEMA_REGISTRY_USERNAME" },
  schemaRegistryPassword: { variable: "SCHEMA_REGISTRY_PASSWORD" },
  schemaRegistryCaFile: { variable: "SCHEMA_REGISTRY_CA_FILE" },
  fsyncDelayMs: { variable: "WEIR_FSYNC_DELAY_MS" },
  backfillRows: { variable: "WEIR_BACKFILL_ROWS" },
};

/** What is not repeated in a message; an address may hold a password. */
const SECRET: ReadonlySet<keyof Config> = new Set([
  ...(["clickHouseUrl", "kafkaPassword", "schemaRegistryUrl", "schemaRegistryPassword"] as const),
]);

/** Reads the configuration; throws ConfigInvalid naming the variable and the flag. */
export function readConfig(flags: Flags, env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const said: Partial<Record<keyof Config, string>> = {};
  for (const key of Object.keys(SETTINGS) as (keyof Config)[]) {
    // An empty variable says nothing.
    const text = flags[key] ?? (env[SETTINGS[key].variable] || undefined);
    if (text !== undefined) said[key] = text;
  }
  const result = configSchema.safeParse(said);
  if (result.success) {
    const missing = missingBeside(result.data);
    if (missing !== undefined) throw new ConfigInvalid(missing);
    return result.data;
  }
  const [issue] = result.error.issues;
  const name = issue.path[0] as keyof Config;
  const { variable, flag } = SETTINGS[name];
  const value = SECRET.has(name) ? "" : ` '${said[name]?.slice(0, 100) ?? ""}'`;
  throw new ConfigInvalid(`Cannot use ${variable}${flag === undefined ? "" : ` (${flag})`}${value}: ${issue.message}.`);
}

/** Where commands find a running door, and with what token: WEIR_URL and WEIR_TOKEN, or what `start` left in its data directory. */
export function clientEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): {
  url?: string;
  token?: string;
} {
  const said = (text: string | undefined) => (text === "" ? undefined : text);
  return { url: said(env.WEIR_URL), token: said(env.WEIR_TOKEN) };
}
