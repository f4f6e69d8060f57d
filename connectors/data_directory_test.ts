import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DATA_FORMAT, dataFormat, type Upgrade, upgradeDataDirectory } from "./data_directory.ts";
import { freshDir, removeDirs } from "./sqlite_log_fixture.ts";

afterAll(removeDirs);

const stamped = (text: string): string => {
  const dir = freshDir();
  writeFileSync(join(dir, "weir.json"), text);
  return dir;
};

describe("upgradeDataDirectory()", () => {
  test("numbers a directory that is new", () => {
    const dir = freshDir();
    upgradeDataDirectory(dir);
    expect(dataFormat(dir)).toBe(DATA_FORMAT);
    upgradeDataDirectory(dir);
  });

  test("numbers a directory from before there was a number", () => {
    const dir = freshDir();
    writeFileSync(join(dir, "log.db"), "");
    expect(dataFormat(dir)).toBe(0);
    upgradeDataDirectory(dir);
    expect(dataFormat(dir)).toBe(DATA_FORMAT);
  });

  test("takes an older one through every upgrade, and repeats the one that was cut off", () => {
    const dir = stamped('{"format":1}');
    const ran: number[] = [];
    let isCutOff = true;
    const upgrades: Upgrade[] = [1, 2, 3, 4].map((to) => ({
      to,
      run: () => {
        ran.push(to);
        if (to === 3 && isCutOff) throw new Error("power cut");
      },
    }));
    expect(() => upgradeDataDirectory(dir, { format: 4, upgrades })).toThrow("power cut");
    isCutOff = false;
    upgradeDataDirectory(dir, { format: 4, upgrades });
    expect(ran).toEqual([2, 3, 3, 4]);
    expect(dataFormat(dir)).toBe(4);
    expect(existsSync(join(dir, "weir.json.new"))).toBeFalse();
  });

  test.each([
    ["refuses what a later Weir wrote", '{"format":2}', "a later Weir wrote it (format 2, this one reads up to 1)"],
    ["refuses what cannot be read", '{"format":', "its weir.json cannot be read"],
    ["refuses what is no number", '{"format":"1"}', "its weir.json cannot be read"],
  ])("%s", (_, text, said) => {
    expect(() => upgradeDataDirectory(stamped(text), { format: 1 })).toThrow(said);
  });
});
