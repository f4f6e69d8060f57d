/**
 * Secrets on disk: the administrator's token, the key of tickets, and how local commands find the door.
 *
 *   start ──▶ <data>/admin_token · <data>/ticket_key (0600, made once) · <data>/door.json (0600, url + token + pid)
 *
 * @module
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { newToken } from "./tokens.ts";

const doorSchema = z.object({ url: z.url(), token: z.string(), pid: z.number() });

/** How to reach a running door. */
export type DoorFile = z.output<typeof doorSchema>;

/** The administrator's token of a data directory; made at the first start. */
export function adminToken(dataDir: string): string {
  return secretIn(dataDir, "admin_token", newToken);
}

/** The key that signs tickets, 32 bytes; made at the first start. Without the file every ticket that is out is void. */
export function ticketKey(dataDir: string): Uint8Array {
  const text = secretIn(dataDir, "ticket_key", () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url"),
  );
  // Whatever the file holds becomes a key of the right length.
  return createHash("sha256").update(text).digest();
}

function secretIn(dataDir: string, name: string, make: () => string): string {
  const path = join(dataDir, name);
  if (existsSync(path)) {
    chmodSync(path, 0o600);
    const kept = readFileSync(path, "utf8").trim();
    if (kept !== "") return kept;
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const secret = make();
  // Renamed into place: a crash in between leaves no half a secret.
  writeFileSync(`${path}.new`, `${secret}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return secret;
}

/** Tells local commands where the door is. */
export function writeDoorFile(dataDir: string, door: DoorFile): void {
  const path = join(dataDir, "door.json");
  rmSync(path, { force: true });
  writeFileSync(path, `${JSON.stringify(door)}\n`, { mode: 0o600 });
}

/** Takes the word back when the door closes. */
export function removeDoorFile(dataDir: string): void {
  rmSync(join(dataDir, "door.json"), { force: true });
}

/** What `start` left for local commands; undefined if no door was opened on this data directory. */
export function readDoorFile(dataDir: string): DoorFile | undefined {
  const path = join(dataDir, "door.json");
  if (!existsSync(path)) return undefined;
  const parsed = doorSchema.safeParse(JSON.parse(readFileSync(path, "utf8")));
  return parsed.success ? parsed.data : undefined;
}
