/**
 * A project: a folder of definitions, read as files.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DefinitionFile } from "@weir/actors";

/** Files that a project may have; more is a mistake about the folder. */
const FILES_MAX = 10_000;
const FILE_BYTES_MAX = 2 ** 20;

/** A folder that cannot be read as a project. */
export class ProjectUnreadable extends Error {
  override readonly name = "ProjectUnreadable";
}

/** All definitions below a folder, ordered by path. */
export function readProject(dir: string): readonly DefinitionFile[] {
  if (!existsSync(dir))
    throw new ProjectUnreadable(`Cannot read the project: there is no folder '${dir}'. Name one with --project.`);
  const paths = [...new Bun.Glob("ods/*.sql").scanSync({ cwd: dir })].sort();
  if (paths.length === 0)
    throw new ProjectUnreadable(
      `Cannot read the project: '${dir}' has no definitions. Put sources into its folder ods/.`,
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
    return { path, text: bytes.toString("utf8") };
  });
}
