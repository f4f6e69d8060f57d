/**
 * A project: a folder of definitions, read as files.
 *
 *   functions/ ods/ dim/ dwf/ dws/ dwa/ api/ *.sql ──▶ files, a dimension's with the data that it names
 *   .weir/catalog.json ◀──▶ the catalog that the folder last pulled or applied
 *
 * What somebody else changed after that catalog is a conflict, not overwritten.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import type { DefinitionFile } from "@weir/actors";
import { type DimensionFrom, FOLDERS, readDimension } from "@weir/sql";
import { z } from "zod";

/** Files that a project may have; more is a mistake about the folder. */
const FILES_MAX = 10_000;
const FILE_BYTES_MAX = 256 * 1_024;
/** A file that a dimension names; what is larger comes from a query. */
const DATA_BYTES_MAX = 32 * 2 ** 20;

/** A folder that cannot be read as a project; `file` is the definition that is to blame, if one is. */
export class ProjectUnreadable extends Error {
  override readonly name = "ProjectUnreadable";
  readonly file: string | undefined;

  constructor(message: string, file?: string) {
    super(message);
    this.file = file;
  }
}

/** Paths of all definitions below a folder, ordered. */
export function definitionPaths(dir: string): readonly string[] {
  if (!existsSync(dir))
    throw new ProjectUnreadable(`Cannot read the project: there is no folder '${dir}'. Correct its path.`);
  return [...new Bun.Glob(`{${Object.keys(FOLDERS).join(",")}}/*.sql`).scanSync({ cwd: dir })].sort();
}

/** All definitions below a folder, ordered by path. */
export function readProject(dir: string): readonly DefinitionFile[] {
  const paths = definitionPaths(dir);
  if (paths.length === 0)
    throw new ProjectUnreadable(
      `Cannot read the project: '${dir}' has no definitions. Put sources into its folder ods/, models into dwf/, dws/ and dwa/.`,
    );
  if (paths.length > FILES_MAX)
    throw new ProjectUnreadable(
      `Cannot read the project: '${dir}' has ${paths.length} definitions; at most ${FILES_MAX} are taken.`,
    );
  return paths.map((path) => {
    const { size } = statSync(join(dir, path));
    if (size > FILE_BYTES_MAX)
      throw new ProjectUnreadable(
        `Cannot read '${path}': it has ${size} bytes; at most ${FILE_BYTES_MAX} are taken.`,
        path,
      );
    return withData(dir, { path, text: readFileSync(join(dir, path), "utf8") });
  });
}

/** A definition with the bytes of the file that it names, if it is a dimension that does. */
export function withData(dir: string, file: DefinitionFile): DefinitionFile {
  const found = dataPath(dir, file);
  if (found === undefined) return file;
  const { path } = file;
  if (!existsSync(found.path))
    throw new ProjectUnreadable(
      found.package === undefined
        ? `Cannot read '${path}': there is no file '${found.name}' beside it.`
        : `Cannot read '${path}': '${found.name}' is not installed. Add the package ${found.package} and install it.`,
      path,
    );
  // Whoever wrote the project decides what it reads, but not of the rest of the machine.
  if (found.package === undefined && !isInside(found.path, dir))
    throw new ProjectUnreadable(
      `Cannot read '${path}': '${found.name}' lies outside of the project's folder. Copy it into the folder.`,
      path,
    );
  const stat = statSync(found.path);
  if (!stat.isFile())
    throw new ProjectUnreadable(`Cannot read '${path}': '${found.name}' is no file. Correct its path.`, path);
  const { size } = stat;
  if (size > DATA_BYTES_MAX)
    throw new ProjectUnreadable(
      `Cannot read '${path}': '${found.name}' has ${size} bytes; at most ${DATA_BYTES_MAX} are taken. Load it with a query.`,
      path,
    );
  return { ...file, data: new Uint8Array(readFileSync(found.path)) };
}

/** Whether a file lies below a folder, wherever links lead. */
function isInside(path: string, dir: string): boolean {
  return realpathSync(path).startsWith(`${realpathSync(dir)}${sep}`);
}

/** Where the data of a dimension lies. */
interface DataPath {
  /** As the definition names it. */
  readonly name: string;
  readonly path: string;
  /** The npm package that it is in, if it is in one. */
  readonly package: string | undefined;
}

/** The file that a definition names; undefined for all but dimensions, for queries, and for what the door will refuse anyway. */
export function dataPath(dir: string, { path, text }: DefinitionFile): DataPath | undefined {
  if (path.split("/").at(-2) !== "dim") return undefined;
  let from: DimensionFrom;
  try {
    from = readDimension(path, text).from;
  } catch {
    // The door reads it again and says what is wrong, with line and column.
    return undefined;
  }
  if (from.kind === "query") return undefined;
  if (from.kind === "file") return { name: from.path, path: join(dir, dirname(path), from.path), package: undefined };
  const name = `${from.package}/${from.path}`;
  return { name, path: inPackage(dir, name) ?? join(dir, "node_modules", name), package: from.package };
}

/** A file inside a package, as Node finds packages: in `node_modules` of the folder or of one above it. */
function inPackage(dir: string, name: string): string | undefined {
  for (let at = resolve(dir); ; at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (existsSync(path)) return path;
    if (dirname(at) === at) return undefined;
  }
}

const BASE = z.object({ catalog: z.int().min(0) });
const basePath = (dir: string) => join(dir, ".weir", "catalog.json");

/** The catalog that this folder last pulled or applied; undefined when it never did. */
export function readBase(dir: string): number | undefined {
  if (!existsSync(basePath(dir))) return undefined;
  try {
    return BASE.parse(JSON.parse(readFileSync(basePath(dir), "utf8"))).catalog;
  } catch {
    // Whatever is wrong with it, the way out is the same.
    throw new ProjectUnreadable(`Cannot read '${basePath(dir)}'. Remove it, then run weir pull.`);
  }
}

/** Remembers the catalog that this folder pulled or applied. */
export function writeBase(dir: string, catalog: number): void {
  mkdirSync(dirname(basePath(dir)), { recursive: true });
  writeFileSync(basePath(dir), `${JSON.stringify({ catalog })}\n`);
}
