/**
 * Tests of `backup_folder.ts`.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import { beginBackup, finishBackup, readBackup } from "./backup_folder.ts";

const dir = mkdtempSync(join(tmpdir(), "weir-backups-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("beginBackup()", () => {
  test("leaves alone what another one is writing, and removes it once that one is gone", async () => {
    const one = Effect.gen(function* () {
      const { partial } = yield* beginBackup(dir, "one");
      const refused = yield* Effect.flip(Effect.scoped(beginBackup(dir, "other")));
      expect(refused.message).toBe(`Cannot make a backup: another Weir is writing one into '${dir}'.`);
      expect(existsSync(partial)).toBeTrue();
      return partial;
    });
    const left = await Effect.runPromise(Effect.scoped(one));
    const { partial } = await Effect.runPromise(Effect.scoped(beginBackup(dir, "other")));
    expect([existsSync(left), existsSync(partial)]).toEqual([false, true]);
  });
});

describe("readBackup()", () => {
  test("8, 16: follows no link, and reads no manifest that is none", async () => {
    const manifest = { format: 1, data_format: 1, made_at: "2026-03-01T10:00:00Z", catalog: 1, topics: {}, tables: [] };
    const whole = JSON.stringify({ ...manifest, log: { bytes: 0, sha256: "" } });
    const read = async (write: (path: string) => void) => {
      const folder = mkdtempSync(join(dir, "read-"));
      write(join(folder, "manifest.json"));
      const { message } = await Effect.runPromise(Effect.flip(readBackup(folder)));
      return message.replace(folder, "");
    };
    const damaged = "Cannot read the backup '': its manifest.json is damaged.";
    writeFileSync(join(dir, "manifest.json"), whole);
    expect(await read((path) => symlinkSync("../manifest.json", path))).toBe(damaged);
    expect(await read((path) => writeFileSync(path, `${whole}${" ".repeat(16 * 2 ** 20)}`))).toBe(damaged);
    for (const text of ["", "null", "{", whole.replace('"data_format":1', '"data_format":0')])
      expect(await read((path) => writeFileSync(path, text))).toBe(damaged);
  });

  test("refuses what would become a data directory of a later Weir", async () => {
    const made = Effect.gen(function* () {
      const folder = yield* beginBackup(dir, "later");
      const log = { bytes: 0, sha256: "" };
      const manifest = { format: 1, data_format: 2, made_at: "2026-03-01T10:00:00Z", catalog: 1, topics: {} } as const;
      return yield* finishBackup(folder, { ...manifest, tables: [], log });
    });
    const { path } = await Effect.runPromise(Effect.scoped(made));
    const { message } = await Effect.runPromise(Effect.flip(readBackup(path)));
    expect(message).toContain("a later Weir made it (data format 2, this one reads up to 1)");
  });
});
