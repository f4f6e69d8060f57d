/**
 * The lock on a data directory: one process at a time writes a log.
 *
 * The truth is the lock on `log.lock`; `log.pid` only names the holder in the
 * other one's message. It is held by the main thread, so a Worker that crashed
 * can be replaced.
 *
 * @module
 */
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { isLocked, lockFile } from "../file_lock.ts";
import { LogFailed } from "../log.ts";

/** Makes and locks the directory until the scope closes; fails with LogFailed("unavailable") when that cannot be. */
export const lockDirectory = (dir: string) =>
  Effect.acquireRelease(Effect.try({ try: () => acquire(dir), catch: (cause) => refusal(dir, cause) }), (lock) =>
    Effect.sync(() => {
      rmSync(join(dir, "log.pid"), { force: true });
      lock.close();
    }),
  );

function acquire(dir: string) {
  mkdirSync(dir, { recursive: true });
  accessSync(dir, constants.W_OK | constants.X_OK);
  const lock = lockFile(join(dir, "log.lock"));
  try {
    writeFileSync(join(dir, "log.pid"), `${process.pid}\n`);
  } catch (error) {
    lock.close();
    throw error;
  }
  return lock;
}

function refusal(dir: string, cause: unknown): LogFailed {
  const code = (cause as { code?: string }).code ?? "";
  const message = isLocked(cause)
    ? `Cannot open the log: ${dir} is used by another process (pid ${holder(dir)}). Stop it or choose another data directory with --data.`
    : `Cannot open the log: ${dir} cannot be written (${code || String(cause)}). Give this user write permission, free some space or choose another data directory with --data.`;
  return new LogFailed({ reason: "unavailable", message, retriable: false, cause });
}

function holder(dir: string): string {
  try {
    return readFileSync(join(dir, "log.pid"), "utf8").trim();
  } catch {
    return "unknown"; // the holder has the lock but has not written its name yet
  }
}
