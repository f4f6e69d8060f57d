/**
 * A project: a folder of definitions, read as files.
 *
 *   functions/ ods/ dim/ dwf/ dws/ dwa/ api/ *.sql ──▶ files, a dimension's with the data that it names
 *
 * @module
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { DefinitionFile } from "@weir/actors";
import { type DimensionFrom, FOLDERS, readDimension } from "@weir/sql";

/** Files that a project may have; more is a mistake about the folder. */
const FILES_MAX = 10_000;
const FILE_BYTES_MAX = 256 * 1_024;
/** A file that a dimension names; what is larger comes from a query. */
const DATA_BYTES_MAX = 32 * 2 ** 20;

/** A folder that cannot be read as a project. */
export class ProjectUnreadable extends Error {
  override readonly name = "ProjectUnreadable";
}

/** All definitions below a folder, ordered by path. */
export function readProject(dir: string): readonly DefinitionFile[] {
  if (!existsSync(dir))
    throw new ProjectUnreadable(`Cannot read the project: there is no folder '${dir}'. Name one with --project.`);
  const paths = [...new Bun.Glob(`{${Object.keys(FOLDERS).join(",")}}/*.sql`).scanSync({ cwd: dir })].sort();
  if (paths.length === 0)
    throw new ProjectUnreadable(
      `Cannot read the project: '${dir}' has no definitions. Put sources into its folder ods/, models into dwf/, dws/ and dwa/.`,
    );
  if (paths.length > FILES_MAX)
    throw new ProjectUnreadable(
      `Cannot read the project: '${dir}' has ${paths.length} definitions; at most ${FILES_MAX} are taken.`,
    );
  return paths.map((path) => {
    const bytes = readFileSync(join(dir, path));
    if (bytes.length > FILE_BYTES_MAX)
      throw new ProjectUnreadable(
        `Cannot read '${path}': it has ${bytes.length} bytes; at most ${FILE_BYTES_MAX} are taken.`,
      );
    const file = { path, text: bytes.toString("utf8") };
    const data = path.startsWith("dim/") ? dataOf(dir, file) : undefined;
    return data === undefined ? file : { ...file, data };
  });
}

/** The bytes of the file that a dimension names; undefined for a query, or for what the door will refuse anyway. */
function dataOf(dir: string, { path, text }: DefinitionFile): Uint8Array | undefined {
  let from: DimensionFrom;
  try {
    from = readDimension(path, text).from;
  } catch {
    // The door reads it again and says what is wrong, with line and column.
    return undefined;
  }
  if (from.kind === "query") return undefined;
  const name = from.kind === "file" ? from.path : `${from.package}/${from.path}`;
  const found = from.kind === "file" ? join(dir, dirname(path), from.path) : inPackage(dir, name);
  if (found === undefined || !existsSync(found))
    throw new ProjectUnreadable(
      from.kind === "file"
        ? `Cannot read '${path}': there is no file '${name}' beside it.`
        : `Cannot read '${path}': '${name}' is not installed. Add the package ${from.package} and install it.`,
    );
  const { size } = statSync(found);
  if (size > DATA_BYTES_MAX)
    throw new ProjectUnreadable(
      `Cannot read '${path}': '${name}' has ${size} bytes; at most ${DATA_BYTES_MAX} are taken. Load it with a query.`,
    );
  return new Uint8Array(readFileSync(found));
}

/** A file inside a package, as Node finds packages: in `node_modules` of the folder or of one above it. */
function inPackage(dir: string, name: string): string | undefined {
  for (let at = resolve(dir); ; at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (existsSync(path)) return path;
    if (dirname(at) === at) return undefined;
  }
}
