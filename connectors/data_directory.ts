/**
 * The data directory's format: one number, so that no Weir opens what it cannot read.
 *
 *   <data>/weir.json ──older──▶ upgrades, one number at a time ──▶ opened
 *                    ──newer──▶ refused
 *
 * The number rises when a Weir writes what the one before cannot read. It is
 * looked at before anything is opened, and raised under the directory's lock.
 * The log's file has a version of its own, for its own layout.
 *
 * @module
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What this Weir writes. 0 is a directory from before there was a number. */
export const DATA_FORMAT = 1;

/** Takes a directory from the format before to `to`; repeated if it was cut off. */
export interface Upgrade {
  readonly to: number;
  readonly run: (dataDir: string) => void;
}

/** Nothing on disk changed with the number itself. */
const UPGRADES: readonly Upgrade[] = [{ to: 1, run: () => undefined }];

const FILE = "weir.json";
/** Which files say that a directory without a number is a Weir's. */
const TRACES = ["log.db", "clickhouse", "admin_token"] as const;

/** A data directory that this Weir cannot open; the message says what to do. */
export class DataDirectoryRefused extends Error {
  override readonly name = "DataDirectoryRefused";
}

/** What a directory says of itself; undefined if no Weir has used it. Throws DataDirectoryRefused. */
export function dataFormat(dataDir: string): number | undefined {
  const path = join(dataDir, FILE);
  if (!existsSync(path)) return TRACES.some((trace) => existsSync(join(dataDir, trace))) ? 0 : undefined;
  const format = formatIn(readFileSync(path, "utf8"));
  if (format !== undefined) return format;
  throw new DataDirectoryRefused(
    `Cannot open the data directory '${dataDir}': its ${FILE} cannot be read. Restore it from a backup; it should say {"format":${DATA_FORMAT}}.`,
  );
}

/** Throws DataDirectoryRefused for a directory that a later Weir wrote. Changes nothing. */
export function checkDataDirectory(dataDir: string, format = DATA_FORMAT): void {
  const found = dataFormat(dataDir) ?? 0;
  if (found <= format) return;
  throw new DataDirectoryRefused(
    `Cannot open the data directory '${dataDir}': a later Weir wrote it (format ${found}, this one reads up to ${format}). Start that Weir, or give another directory with --data.`,
  );
}

/** Brings a directory to the format of this Weir; its lock is held. Throws DataDirectoryRefused. */
export function upgradeDataDirectory(
  dataDir: string,
  {
    format = DATA_FORMAT,
    upgrades = UPGRADES,
  }: { readonly format?: number; readonly upgrades?: readonly Upgrade[] } = {},
): void {
  checkDataDirectory(dataDir, format);
  const found = dataFormat(dataDir);
  if (found === format) return;
  for (const { to, run } of upgrades) {
    if (found === undefined || to <= found) continue;
    run(dataDir);
    stampDataDirectory(dataDir, to);
  }
  stampDataDirectory(dataDir, format);
}

/** Writes a directory's number. Durable, then renamed into place: a crash leaves the old one or the new one. */
export function stampDataDirectory(dataDir: string, format: number): void {
  const path = join(dataDir, FILE);
  const file = openSync(`${path}.new`, "w");
  try {
    writeSync(file, `${JSON.stringify({ format })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}

function formatIn(text: string): number | undefined {
  try {
    const { format } = JSON.parse(text) as { format?: unknown };
    return Number.isSafeInteger(format) && (format as number) > 0 ? (format as number) : undefined;
  } catch {
    return undefined;
  }
}
