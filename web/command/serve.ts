/**
 * Keeping a door open until somebody asks to close it.
 *
 * @module
 */
import type { RunningDoor } from "./start.ts";

/** How long a process may linger that has closed its door and its parts. */
const LINGER_MS_MAX = 200;

/** Resolves with the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
export function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (!isFirst) process.exit(1);
        isFirst = false;
        resolve(signal);
      });
    }
  });
}

/** The one line that scripts wait for. */
export function readyLine({ url, adminToken }: Pick<RunningDoor, "url" | "adminToken">): string {
  return JSON.stringify({ ready: true, url, admin_token: adminToken, pid: process.pid });
}

/** Says where the door is, and closes it on a signal. */
export async function serveUntilSignal(running: RunningDoor, { isJson }: { isJson: boolean }): Promise<number> {
  if (isJson) console.log(readyLine(running));
  else {
    const sources = running.door.sources.all().map(({ applied }) => applied.source.name);
    console.log(`Weir is open at ${running.url}\nadmin token: ${running.adminToken}`);
    console.log(
      sources.length === 0 ? "No source is applied yet: weir apply --project DIR" : `sources: ${sources.join(", ")}`,
    );
  }
  await signalled();
  if (!isJson) console.log("Closing: what is under way is finished.");
  await running.stop();
  // Everything is closed. A library's timer may go on ticking; nobody waits for it.
  setTimeout(() => process.exit(), LINGER_MS_MAX).unref();
  return 0;
}
