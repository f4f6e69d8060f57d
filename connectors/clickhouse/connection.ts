/**
 * What a client must know of a ClickHouse, embedded or external: the address
 * and who acts for each account of the port `Warehouse`.
 *
 * Embedded: the engine's own configuration holds the reader's limits.
 * External: we do not own the accounts, so every reader query carries
 * `readonly=1` and the limits as settings.
 *
 * @module
 */
import { Data } from "effect";
import type { Account, Settings } from "../warehouse.ts";

/** A user of the engine. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Where ClickHouse answers, as whom to call it, and the settings that each reader query carries. */
export interface ClickHouseConnection {
  /** `http(s)://host:port` and an optional path, without credentials. */
  readonly url: string;
  readonly accounts: Readonly<Record<Account, Credentials>>;
  readonly readerSettings: Settings;
}

/** Upper bounds of one reader query; a caller may ask for less, never for more. */
export interface ReaderLimits {
  readonly executionSecondsMax: number;
  readonly resultRowsMax: number;
  readonly memoryBytesMax: number;
  readonly threadsMax: number;
  /** Queries of all readers together. */
  readonly queriesMax: number;
}

/** `CLICKHOUSE_URL` cannot be used. */
export class ClickHouseUrlInvalid extends Data.TaggedError("ClickHouseUrlInvalid")<{ readonly message: string }> {}

/** Limits of readers on an external ClickHouse. */
export const EXTERNAL_READER_LIMITS: ReaderLimits = {
  executionSecondsMax: 60,
  resultRowsMax: 10_000_000,
  memoryBytesMax: 4 * 1024 ** 3,
  threadsMax: 8,
  queriesMax: 64,
};

/**
 * Reads `http(s)://user:password@host:port`. One user acts for all accounts unless `accounts` names others.
 * Throws ClickHouseUrlInvalid; the message never holds the password.
 */
export function externalConnection(
  text: string,
  options: { readonly accounts?: Partial<Record<Account, Credentials>>; readonly limits?: ReaderLimits } = {},
): ClickHouseConnection {
  const hint = 'Write it as "http://user:password@host:8123".';
  if (!URL.canParse(text))
    throw new ClickHouseUrlInvalid({ message: `Cannot read CLICKHOUSE_URL: not a URL. ${hint}` });
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new ClickHouseUrlInvalid({
      message: `Cannot read CLICKHOUSE_URL: "${url.protocol}" is not http or https. ${hint}`,
    });
  }
  const owner = credentialsOf(url);
  const path = url.pathname.replace(/\/+$/, "");
  return {
    url: `${url.protocol}//${url.host}${path}`,
    accounts: { writer: owner, reader: owner, admin: owner, ...options.accounts },
    readerSettings: readerSettings(options.limits ?? EXTERNAL_READER_LIMITS),
  };
}

function credentialsOf(url: URL): Credentials {
  try {
    return { user: decodeURIComponent(url.username) || "default", password: decodeURIComponent(url.password) };
  } catch {
    throw new ClickHouseUrlInvalid({
      message: 'Cannot read CLICKHOUSE_URL: user or password is not percent-encoded. Write "%25" for "%".',
    });
  }
}

function readerSettings(limits: ReaderLimits): Settings {
  return {
    readonly: 1,
    cancel_http_readonly_queries_on_client_close: 1,
    max_execution_time: limits.executionSecondsMax,
    max_result_rows: limits.resultRowsMax,
    max_memory_usage: limits.memoryBytesMax,
    max_threads: limits.threadsMax,
  };
}
