/**
 * The supply chain, row 33 of the list of risks: what is locked is fixed, and from the registry alone.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = new URL("..", import.meta.url).pathname;
/** First versions without a known hole that a door like this one opens. */
const FIXED: Readonly<Record<string, string>> = {
  hono: "4.12.25",
  "@chdb/lib-linux-x64-gnu": "26.7.3",
};
const BUN_FIXED = "1.4.4";

/** `"name": ["name@version", "", {…}, "sha512-…"]` */
const lock = readFileSync(join(ROOT, "bun.lock"), "utf8");
const packages = [...lock.matchAll(/^ {4}"([^"]+)": \["([^"]+)@([^"@]+)"(.*)\],?$/gm)].map(
  ([, , name, version, rest]) => ({ name: name!, version: version!, rest: rest! }),
);

describe("bun.lock", () => {
  test("33: names every package with its checksum, and none by an address", () => {
    expect(packages.length).toBeGreaterThan(20);
    const outside = packages.filter(({ version }) => !version.startsWith("workspace:"));
    const loose = outside.filter(
      ({ version, rest }) => !/^\d+\.\d+\.\d+/.test(version) || !/"sha512-[\w+/=]+"$/.test(rest),
    );
    expect(loose.map(({ name }) => name)).toEqual([]);
  });

  test("33: holds versions in which known holes are fixed", () => {
    for (const [name, fixed] of Object.entries(FIXED)) {
      const { version } = packages.find((one) => one.name === name)!;
      expect({ name, version, isFixed: Bun.semver.order(version.replace(/-stable.*/, ""), fixed) >= 0 }).toMatchObject({
        isFixed: true,
      });
    }
    expect(Bun.semver.order(Bun.version, BUN_FIXED)).toBeGreaterThanOrEqual(0);
  });

  test("33: runs no package's own scripts at install", () => {
    expect(lock).not.toContain("trustedDependencies");
  });
});
