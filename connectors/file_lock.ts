/**
 * A lock on a file: one process at a time, and nobody once that process is gone.
 *
 * It is SQLite's lock on an empty database, which the kernel takes back even
 * after kill -9.
 *
 * @module
 */
import { Database } from "bun:sqlite";

/** Locks the file until what it answers is closed. Throws SQLite's error: SQLITE_BUSY if another one has the lock. */
export function lockFile(path: string): { readonly close: () => void } {
  const lock = new Database(path, { create: true });
  try {
    lock.run("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Whether an error says that another one has the lock. */
export function isLocked(error: unknown): boolean {
  return (error as { readonly code?: string }).code === "SQLITE_BUSY";
}
