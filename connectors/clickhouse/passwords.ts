/**
 * The passwords of the embedded engine's accounts, made at the first start and
 * kept in `<dataDir>/clickhouse_passwords.json`, mode 0600.
 *
 * The engine itself gets only their SHA-256 (`config.ts`). Two processes that
 * start at once on one folder agree: the file appears whole, by a hard link.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, linkSync, lstatSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "../warehouse.ts";
import { ClickHouseStartFailed } from "./start_failed.ts";

/** One password for each account of the port. */
export type Passwords = Readonly<Record<Account, string>>;

/** Random bytes of a password; base64url makes 43 characters of them. */
const PASSWORD_BYTES = 32;
const ACCOUNTS = ["writer", "reader", "admin"] as const satisfies readonly Account[];

/** Reads the passwords of `dataDir`, or makes them. `warn` hears of a file mode that had to be repaired. */
export function loadPasswords(dataDir: string, warn: (message: string) => void): Passwords {
  const path = join(dataDir, "clickhouse_passwords.json");
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) create(path);
  const stat = lstatSync(path);
  if (!stat.isFile()) throw damaged(path, "is not a regular file");
  if ((stat.mode & 0o077) !== 0) {
    chmodSync(path, 0o600);
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    warn(
      `"${path}" had mode ${mode}, others could read it. It is 0600 now; delete it before the next start for new passwords.`,
    );
  }
  return parse(path, readFileSync(path, "utf8"));
}

/** SHA-256 of each password, in hex, as the engine's configuration wants it. */
export function passwordHashes(passwords: Passwords): Passwords {
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  return { writer: hash(passwords.writer), reader: hash(passwords.reader), admin: hash(passwords.admin) };
}

function create(path: string): void {
  const made = Object.fromEntries(ACCOUNTS.map((name) => [name, randomBytes(PASSWORD_BYTES).toString("base64url")]));
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    // Another process was first: its passwords count.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function parse(path: string, text: string): Passwords {
  let value: Partial<Record<Account, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(path, "is not JSON");
  }
  const { writer, reader, admin } = value ?? {};
  for (const password of [writer, reader, admin]) {
    if (typeof password !== "string" || password.length < PASSWORD_BYTES) throw damaged(path, "lacks a password");
  }
  return { writer, reader, admin } as Passwords;
}

function damaged(path: string, state: string): ClickHouseStartFailed {
  return new ClickHouseStartFailed({
    message: `Cannot start ClickHouse: "${path}" ${state}. Delete it: new passwords are made, the data stays.`,
  });
}
