/**
 * The log's SQLite file: its tables, how it is opened, what its errors mean.
 *
 *   partition 1 ──< blob (base, count, packed)      one blob row per partition and group commit
 *   topic     1 ──< partition · member_commit       generation: one counter for all groups
 *
 * WAL with `synchronous=FULL`: a COMMIT that returned has been fsynced. Blobs lie
 * in order of arrival with a small index beside them, which was faster than one
 * tree by (partition, base): 19 against 30 ms for a commit of 4 MB.
 *
 * @module
 */
import { Database } from "bun:sqlite";
import { FORMAT } from "../records.ts";
import type { Failure, OpenCall } from "./protocol.ts";

/** Layout of the tables below; with FORMAT it is the file's `user_version`. */
const LAYOUT = 1;
const VERSION = LAYOUT * 1_000 + FORMAT;
const PAGE_BYTES = 8_192;
const BUSY_MS_MAX = 5_000;
const WAL_BYTES_KEPT = 64 << 20;

const TABLES = `
CREATE TABLE topic (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, age_ms_max INTEGER, bytes_max INTEGER
);
CREATE TABLE partition (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  topic_id TEXT, -- null: its topic was deleted, retention removes the rest
  number INTEGER NOT NULL, earliest INTEGER NOT NULL, latest INTEGER NOT NULL, bytes INTEGER NOT NULL,
  UNIQUE (topic_id, number)
);
CREATE TABLE blob (
  id INTEGER PRIMARY KEY, partition_key INTEGER NOT NULL, base INTEGER NOT NULL, count INTEGER NOT NULL,
  newest_ms REAL NOT NULL, packed BLOB NOT NULL
);
CREATE INDEX blob_base ON blob (partition_key, base);
CREATE TABLE once (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, at_ms INTEGER NOT NULL,
  appended TEXT NOT NULL, answer TEXT NOT NULL
);
CREATE TABLE generation (last INTEGER NOT NULL);
INSERT INTO generation VALUES (0);
CREATE TABLE member_commit (
  name TEXT NOT NULL, topic_id TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  metadata TEXT NOT NULL, PRIMARY KEY (name, topic_id, partition)
) WITHOUT ROWID;
`;

/** Opens the file for the one writer; makes its tables when it is new. */
export function openForWriting({ file, pagesMax }: Pick<OpenCall, "file"> & Partial<OpenCall>): Database {
  const db = new Database(file, { create: true });
  try {
    db.run(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`);
    db.run(`PRAGMA page_size = ${PAGE_BYTES}`);
    db.run("PRAGMA auto_vacuum = INCREMENTAL");
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = FULL");
    db.run(`PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`);
    const { user_version: version } = db.query("PRAGMA user_version").get() as { user_version: number };
    if (version === 0) db.transaction(() => create(db)).immediate();
    else if (version !== VERSION) throw new WrongVersion(file, version);
    if (pagesMax !== undefined) db.run(`PRAGMA max_page_count = ${pagesMax}`);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Opens the file beside the writer, to read only. */
export function openForReading({ file }: OpenCall): Database {
  const db = new Database(file, { readonly: true });
  db.run(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`);
  return db;
}

function create(db: Database): void {
  for (const statement of TABLES.split(";")) if (statement.trim() !== "") db.run(statement);
  db.run(`PRAGMA user_version = ${VERSION}`);
}

class WrongVersion extends Error {
  readonly code = "WEIR_VERSION";
  constructor(file: string, version: number) {
    super(
      `Cannot open the log: ${file} has format ${version}, this Weir reads ${VERSION}. Use the Weir that wrote it, or another data directory with --data.`,
    );
  }
}

/** Says what an error of the file means for the caller. */
export function failureOf(error: unknown, doing: string): Failure {
  if (isFailure(error)) return error;
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  if (code === "SQLITE_FULL" || code === "ENOSPC" || /disk is full|no space/i.test(message)) {
    const hint = "Free some space; the log then goes on by itself.";
    return { reason: "disk full", message: `Cannot ${doing}: the disk is full. ${hint}`, retriable: true };
  }
  if (code === "WEIR_VERSION") return { reason: "invalid", message, retriable: false };
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") {
    const hint = "Restore the data directory from a backup, or choose another one with --data.";
    return {
      reason: "damaged",
      message: `Cannot ${doing}: the log's file is damaged (${message}). ${hint}`,
      retriable: false,
    };
  }
  return {
    reason: "unavailable",
    message: `Cannot ${doing}: ${message} (${code}). Try again in a moment.`,
    retriable: true,
  };
}

function isFailure(error: unknown): error is Failure {
  return typeof error === "object" && error !== null && "reason" in error && "retriable" in error;
}
