/**
 * A project: a folder of definitions, read as files.
 *
 *   functions/ ods/ dim/ dwf/ dws/ dwa/ api/ *.sql ──▶ files, with the data or the schemas that they name
 *   .weir/catalog.json ◀──▶ the catalog that the folder last pulled or applied
 *
 * What somebody else changed after that catalog is a conflict, not overwritten.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import type { DefinitionFile } from "@weir/actors";
import { attach, closesEarly, FOLDERS, readDimension, readSource } from "@weir/sql";
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
    return withFiles(dir, { path, text: readFileSync(join(dir, path), "utf8") });
  });
}

/** A definition with what the files hold that it names: a dimension's data, a source's schemas behind its text. */
export function withFiles(dir: string, file: DefinitionFile): DefinitionFile {
  const { path, text } = file;
  const named = filesNamed(dir, file);
  if (named.length === 0) return file;
  if (folderOf(file) === "dim")
    return { ...file, data: bytesOf(dir, { file, named: named[0]!, bytesMax: DATA_BYTES_MAX }) };
  const schemas = new Map(named.map((one) => [one.name, schemaText(dir, { file, named: one })]));
  const whole = attach(text, schemas);
  const size = Buffer.byteLength(whole);
  if (size > FILE_BYTES_MAX)
    throw new ProjectUnreadable(
      `Cannot read '${path}': with its schema files it has ${size} bytes; at most ${FILE_BYTES_MAX} are taken.`,
      path,
    );
  return { ...file, text: whole };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function schemaText(
  dir: string,
  { file, named }: { readonly file: DefinitionFile; readonly named: NamedFile },
): string {
  const bytes = bytesOf(dir, { file, named, bytesMax: FILE_BYTES_MAX });
  const refused = (state: string) =>
    new ProjectUnreadable(`Cannot read '${file.path}': '${named.name}' ${state}.`, file.path);
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    // A fatal decoder throws for exactly one reason.
    throw refused("is not valid UTF-8");
  }
  // It travels in a comment behind the SQL.
  if (closesEarly(text)) throw refused("has a line `---*/`, which would end it too early. Change that line");
  return text;
}

interface Reading {
  readonly file: DefinitionFile;
  readonly named: NamedFile;
  readonly bytesMax: number;
}

/** What a file holds that a definition names. */
function bytesOf(dir: string, { file: { path }, named, bytesMax }: Reading): Uint8Array {
  const { name } = named;
  if (!existsSync(named.path))
    throw new ProjectUnreadable(
      named.package === undefined
        ? `Cannot read '${path}': there is no file '${name}' beside it.`
        : `Cannot read '${path}': '${name}' is not installed. Add the package ${named.package} and install it.`,
      path,
    );
  // Whoever wrote the project decides what it reads, but not of the rest of the machine.
  if (named.package === undefined && !isInside(named.path, dir))
    throw new ProjectUnreadable(
      `Cannot read '${path}': '${name}' lies outside of the project's folder. Copy it into the folder.`,
      path,
    );
  const stat = statSync(named.path);
  if (!stat.isFile())
    throw new ProjectUnreadable(`Cannot read '${path}': '${name}' is no file. Correct its path.`, path);
  const { size } = stat;
  if (size > bytesMax) {
    const instead = bytesMax === DATA_BYTES_MAX ? " Load it with a query." : "";
    throw new ProjectUnreadable(
      `Cannot read '${path}': '${name}' has ${size} bytes; at most ${bytesMax} are taken.${instead}`,
      path,
    );
  }
  return new Uint8Array(readFileSync(named.path));
}

/** Whether a file lies below a folder, wherever links lead. */
function isInside(path: string, dir: string): boolean {
  return realpathSync(path).startsWith(`${realpathSync(dir)}${sep}`);
}

/** A file that a definition names. */
interface NamedFile {
  /** As the definition names it. */
  readonly name: string;
  readonly path: string;
  /** The npm package that it is in, if it is in one. */
  readonly package: string | undefined;
}

const folderOf = ({ path }: DefinitionFile): string | undefined => path.split("/").at(-2);

/** The files that a definition names and does not bring along; none for what the door will refuse anyway. */
export function filesNamed(dir: string, file: DefinitionFile): readonly NamedFile[] {
  const { path, text } = file;
  const folder = folderOf(file);
  const beside = (name: string): NamedFile => ({ name, path: join(dir, dirname(path), name), package: undefined });
  try {
    if (folder === "ods") {
      const { asksFor, files } = readSource(path, text);
      return asksFor.filter((name) => !files.has(name)).map(beside);
    }
    if (folder !== "dim") return [];
    const { from } = readDimension(path, text);
    if (from.kind === "query") return [];
    if (from.kind === "file") return [beside(from.path)];
    const name = `${from.package}/${from.path}`;
    return [{ name, path: inPackage(dir, name) ?? join(dir, "node_modules", name), package: from.package }];
  } catch {
    // The door reads it again and says what is wrong, with line and column.
    return [];
  }
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
