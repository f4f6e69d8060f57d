/**
 * Where npm put ClickHouse: `@chdb/lib-<platform>-<arch>[-gnu]/libchdb.so`.
 *
 * The packages are optional dependencies, one per platform, so a machine has at
 * most its own. A missing one is an error that names the platforms that exist.
 *
 * @module
 */
import { createRequire } from "node:module";
import { ClickHouseStartFailed } from "./start_failed.ts";

/** Platforms that have a library: `process.platform`-`process.arch` to the npm package. */
export const PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "@chdb/lib-linux-x64-gnu",
  "linux-arm64": "@chdb/lib-linux-arm64-gnu",
  "darwin-x64": "@chdb/lib-darwin-x64",
  "darwin-arm64": "@chdb/lib-darwin-arm64",
};

/** Path of libchdb for `platform` ("linux-x64"). Throws ClickHouseStartFailed. */
export function libraryPath(platform = `${process.platform}-${process.arch}`): string {
  const instead = "Or set CLICKHOUSE_URL to a ClickHouse server and use that.";
  const name = PACKAGES[platform];
  if (name === undefined) {
    const known = Object.keys(PACKAGES).join(", ");
    throw new ClickHouseStartFailed({
      message: `Cannot start ClickHouse: no library for "${platform}". It exists for ${known}. ${instead}`,
    });
  }
  try {
    return createRequire(import.meta.url).resolve(`${name}/libchdb.so`);
  } catch {
    throw new ClickHouseStartFailed({
      message: `Cannot start ClickHouse: the package "${name}" is not installed. Run "bun install" without omitting optional dependencies. ${instead}`,
    });
  }
}
