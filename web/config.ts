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
  /** An external ClickHouse instead of the embedded one, with credentials. */
  clickHouseUrl: z.string().min(1).optional(),
  /** Milliseconds added to each fsync of the embedded log, to feel like a slower disk; for benchmarks. */
  fsyncDelayMs: z.coerce.number().min(0).max(1_000).default(0),
  /** Rows that one insert of a backfill reads. */
  backfillRows: z.coerce.number().int().min(1).max(10_000_000).default(500_000),
});

export type Config = z.output<typeof configSchema>;

/** A configuration that cannot be used. */
export class ConfigInvalid extends Error {
  override readonly name = "ConfigInvalid";
}

/** What flags may say; they win over the environment. */
export type Flags = Readonly<Partial<Record<keyof Config, string | undefined>>>;

const NAMES: Readonly<Record<keyof Config, string>> = {
  dataDir: "WEIR_DATA (--data)",
  projectDir: "WEIR_PROJECT (--project)",
  backupsDir: "WEIR_BACKUPS (--backups)",
  host: "WEIR_HOST (--host)",
  port: "WEIR_PORT (--port)",
  clickHouseUrl: "CLICKHOUSE_URL",
  fsyncDelayMs: "WEIR_FSYNC_DELAY_MS",
  backfillRows: "WEIR_BACKFILL_ROWS",
};

/** Reads the configuration; throws ConfigInvalid naming the variable and the flag. */
export function readConfig(flags: Flags, env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const set = (flag: string | undefined, variable: string | undefined) =>
    flag ?? (variable === "" ? undefined : variable);
  const said = {
    dataDir: set(flags.dataDir, env.WEIR_DATA),
    projectDir: set(flags.projectDir, env.WEIR_PROJECT),
    backupsDir: set(flags.backupsDir, env.WEIR_BACKUPS),
    host: set(flags.host, env.WEIR_HOST),
    port: set(flags.port, env.WEIR_PORT),
    clickHouseUrl: set(flags.clickHouseUrl, env.CLICKHOUSE_URL),
    fsyncDelayMs: set(flags.fsyncDelayMs, env.WEIR_FSYNC_DELAY_MS),
    backfillRows: set(flags.backfillRows, env.WEIR_BACKFILL_ROWS),
  };
  const result = configSchema.safeParse(said);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = issue.path[0] as keyof Config;
  // An address may hold a password.
  const value = name === "clickHouseUrl" ? "" : ` '${said[name]?.slice(0, 100) ?? ""}'`;
  throw new ConfigInvalid(`Cannot use ${NAMES[name]}${value}: ${issue.message}.`);
}

/** Where commands find a running door, and with what token: WEIR_URL and WEIR_TOKEN, or what `start` left in its data directory. */
export function clientEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): {
  url?: string;
  token?: string;
} {
  const said = (text: string | undefined) => (text === "" ? undefined : text);
  return { url: said(env.WEIR_URL), token: said(env.WEIR_TOKEN) };
}
