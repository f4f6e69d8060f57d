/**
 * Tests of `secrets.ts`: secrets are made once, for their owner's eyes only.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminToken, ticketKey } from "./secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-secrets-"));
afterAll(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe.each([
  ["admin_token", (dir: string) => Buffer.from(adminToken(dir))],
  ["ticket_key", (dir: string) => Buffer.from(ticketKey(dir))],
])("%s", (name, read) => {
  const dir = join(folder, name);
  const path = join(dir, name);

  test("is made once, random, in a file of mode 0600 in a folder of mode 0700", () => {
    const first = read(dir);
    expect(read(dir)).toEqual(first);
    expect([modeOf(path), modeOf(dir), readdirSync(dir)]).toEqual(["600", "700", [name]]);
    expect(read(join(folder, `other_${name}`))).not.toEqual(first);
  });

  test("is closed to others again when its mode was changed, and made anew when it is empty", () => {
    const first = read(dir);
    chmodSync(path, 0o644);
    expect([read(dir), modeOf(path)]).toEqual([first, "600"]);
    writeFileSync(path, "\n");
    expect(read(dir)).not.toEqual(first);
    expect(readFileSync(path, "utf8").trim().length).toBeGreaterThanOrEqual(43);
  });
});

describe("ticketKey()", () => {
  test("has 32 bytes, whatever the file holds", () => {
    const dir = join(folder, "ticket_key");
    writeFileSync(join(dir, "ticket_key"), "x");
    expect(ticketKey(dir).length).toBe(32);
  });
});
