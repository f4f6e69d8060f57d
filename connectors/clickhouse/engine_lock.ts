/**
 * The engine's own lock on its folder: `flock` on the file `status`, which a clean stop removes.
 *
 * Whoever has it knows that no engine is running there, and that none starts.
 *
 * @module
 */
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

const LIBC = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
/** LOCK_EX | LOCK_NB. */
const EXCLUSIVE_NOW = 2 | 4;

/** Runs `work` under the lock of an engine that has been killed; does nothing where one is running, or was stopped cleanly. */
export function afterKill<A>(enginePath: string, work: () => A): A | undefined {
  const status = openKilled(join(enginePath, "status"));
  if (status === undefined) return undefined;
  const { symbols, close } = dlopen(LIBC, {
    flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  });
  try {
    return symbols.flock(status, EXCLUSIVE_NOW) === 0 ? work() : undefined;
  } finally {
    closeSync(status);
    close();
  }
}

function openKilled(path: string): number | undefined {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
