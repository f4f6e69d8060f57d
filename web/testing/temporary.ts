/**
 * A folder that is gone afterwards, however the process ends.
 *
 *   process ──holds the input of──▶ sh        process closes it, ends, is killed ──▶ sh reads the end ──▶ rm -rf
 *
 * Not by a hook of the process: after a kill nobody would call it, and the test
 * runner ends without calling any.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Outlives Ctrl-C and tries again, because an engine that is ending writes meanwhile: for 20 s. */
const REMOVE_AT_END = `trap '' HUP INT TERM; cat > /dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0"; [ -e "$0" ] || exit 0; sleep 2; done`;

/** Makes a folder for this process. */
export function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "weir-test-"));
  const guard = Bun.spawn(["sh", "-c", REMOVE_AT_END, path], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  guard.unref();
  const remove = () => {
    rmSync(path, { recursive: true, force: true });
    guard.stdin.end();
  };
  return { path, remove };
}
