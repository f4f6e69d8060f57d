/**
 * Backups on disk: one folder each, below the folder of backups.
 *
 *   <name>.partial/ { log.db, warehouse/ } ──fsync of everything──▶ manifest.json ──renamed──▶ <name>/
 *
 * A folder without `.partial` in its name is whole. What a cut-off backup left is
 * removed by the next one; a lock keeps it from removing what another Weir is
 * still writing there.
 *
 * @module
 */
import { constants, type Dirent } from "node:fs";
import { access, lstat, mkdir, open, readdir, rename, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BACKUP_FORMAT, type Manifest, manifestSchema } from "@weir/sql";
import { Data, Effect, type Scope } from "effect";
import { DATA_FORMAT } from "./data_directory.ts";
import { isLocked, lockFile } from "./file_lock.ts";

/** A backup cannot be made or used. */
export class BackupFailed extends Data.TaggedError("BackupFailed")<{
  readonly reason: "refused" | "unknown" | "failed";
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}> {}

/** A backup's folder while it is written. */
export interface PartialBackup {
  readonly name: string;
  /** Absolute path of the folder, now and when it is whole. */
  readonly partial: string;
  readonly whole: string;
  /** Where the log's copy goes. */
  readonly log: string;
  /** The engine's part, as a path below the folder of backups. */
  readonly warehouse: string;
}

/** A whole backup. */
export interface Backup {
  readonly name: string;
  readonly path: string;
  readonly manifest: Manifest;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const PARTIAL = ".partial";
const MANIFEST = "manifest.json";
/** It names every table and partition, with some hundred bytes each. */
const MANIFEST_BYTES_MAX = 16 * 2 ** 20;
const LOCK = "backups.lock";
/** What stays free on the disk at least: a full one would stop the log. */
const FREE_BYTES_MIN = 1 << 30;

/** Makes the folder of a new backup; removes what cut-off ones left. Nobody else makes one there until the scope closes. */
export function beginBackup(dir: string, name: string): Effect.Effect<PartialBackup, BackupFailed, Scope.Scope> {
  return Effect.andThen(lockFolder(dir), makeFolder(dir, name));
}

const lockFolder = (dir: string) =>
  Effect.acquireRelease(
    attempt(async () => {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      try {
        return lockFile(join(dir, LOCK));
      } catch (error) {
        if (!isLocked(error)) throw error;
        const hint = "Wait until it is finished, or start Weir with --backups on another folder.";
        throw refused(`Cannot make a backup: another Weir is writing one into '${dir}'.`, hint);
      }
    }),
    (lock) => Effect.sync(() => lock.close()),
  );

function makeFolder(dir: string, name: string) {
  return attempt(async (): Promise<PartialBackup> => {
    if (!NAME.test(name) || name.endsWith(PARTIAL))
      throw refused(`Cannot name a backup '${name.slice(0, 100)}'.`, "Use letters, digits, '.', '_' and '-'.");
    const whole = join(dir, name);
    for (const entry of await folders(dir))
      if (entry.endsWith(PARTIAL)) await rm(join(dir, entry), { recursive: true, force: true });
    if (await exists(whole))
      throw refused(`Cannot make the backup '${name}': there is one of that name.`, "Choose another name.");
    const partial = `${whole}${PARTIAL}`;
    await mkdir(partial, { mode: 0o700 });
    return { name, partial, whole, log: join(partial, "log.db"), warehouse: `${name}${PARTIAL}/warehouse` };
  });
}

/** Fails if its disk has no room for `bytes` more. */
export function roomFor({ name, partial }: PartialBackup, bytes: number) {
  return attempt(async () => {
    const { bavail, bsize } = await statfs(partial);
    const free = bavail * bsize;
    if (free >= bytes + FREE_BYTES_MIN) return;
    throw refused(
      `Cannot make the backup '${name}': it needs up to ${mib(bytes)} MiB, and its disk has ${mib(free)} MiB free, of which ${mib(FREE_BYTES_MIN)} stay free.`,
      "Remove old backups, or start Weir with --backups on another disk.",
    );
  });
}

/** Makes a backup whole: durable, with its manifest, under its name. */
export function finishBackup({ partial, whole, name }: PartialBackup, manifest: Manifest) {
  return attempt(async (): Promise<Backup> => {
    await Bun.write(join(partial, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await syncTree(partial);
    await rename(partial, whole);
    await sync(dirname(whole));
    return { name, path: whole, manifest };
  });
}

/** Removes a backup that failed. */
export const discardBackup = ({ partial }: PartialBackup): Effect.Effect<void> =>
  Effect.ignore(attempt(() => rm(partial, { recursive: true, force: true })));

/** A folder among the backups that cannot be read as one. */
export interface UnreadableBackup {
  readonly name: string;
  readonly path: string;
  readonly problem: string;
}

/** The backups in a folder, by name; of what should be one and cannot be read, why. */
export function listBackups(dir: string) {
  return attempt(async (): Promise<readonly (Backup | UnreadableBackup)[]> => {
    const names = (await exists(dir)) ? await folders(dir) : [];
    const whole = names.filter((name) => !name.endsWith(PARTIAL)).sort();
    return Promise.all(
      whole.map((name) => {
        const path = join(dir, name);
        return manifestOf(path).catch((error: Error) => ({ name, path, problem: error.message }));
      }),
    );
  });
}

/** A whole backup by its folder, to be restored by this Weir. */
export function readBackup(path: string) {
  return attempt(async (): Promise<Backup> => {
    const backup = await manifestOf(path);
    if (backup.manifest.data_format <= DATA_FORMAT) return backup;
    throw madeLater(path, { found: `data format ${backup.manifest.data_format}`, max: DATA_FORMAT });
  });
}

/** Makes everything in a folder durable. */
export async function syncTree(dir: string): Promise<void> {
  for (const path of await readdir(dir, { recursive: true })) await sync(join(dir, path));
  await sync(dir);
}

async function manifestOf(path: string): Promise<Backup> {
  const name = basename(path);
  const file = join(path, MANIFEST);
  if (!(await exists(file)))
    throw new BackupFailed({
      reason: "unknown",
      message: `Cannot read the backup '${path}': ${name.endsWith(PARTIAL) ? "it was never finished" : `it has no ${MANIFEST}`}.`,
      hint: "Name the folder of a whole backup.",
    });
  const damaged = refused(`Cannot read the backup '${path}': its ${MANIFEST} is damaged.`, "Use another backup.");
  const kind = await lstat(file);
  // What is a link or a device instead may lead anywhere and never end.
  if (!kind.isFile() || kind.size > MANIFEST_BYTES_MAX) throw damaged;
  const found: unknown = await Bun.file(file)
    .json()
    .catch(() => Promise.reject(damaged));
  const parsed = manifestSchema.safeParse(found);
  if (parsed.success) return { name, path, manifest: parsed.data };
  const { format } = (found ?? {}) as { readonly format?: unknown };
  if (typeof format === "number" && format > BACKUP_FORMAT)
    throw madeLater(path, { found: `format ${format}`, max: BACKUP_FORMAT });
  throw damaged;
}

const madeLater = (path: string, { found, max }: { readonly found: string; readonly max: number }) =>
  refused(
    `Cannot read the backup '${path}': a later Weir made it (${found}, this one reads up to ${max}).`,
    "Use that Weir.",
  );

async function folders(dir: string): Promise<readonly string[]> {
  const entries: readonly Dirent[] = await readdir(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

async function sync(path: string): Promise<void> {
  const kind = await lstat(path);
  if (!kind.isFile() && !kind.isDirectory()) return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const mib = (bytes: number) => Math.ceil(bytes / 2 ** 20);

const refused = (message: string, hint: string) => new BackupFailed({ reason: "refused", message, hint });

function attempt<A>(work: () => Promise<A>): Effect.Effect<A, BackupFailed> {
  return Effect.tryPromise({
    try: work,
    catch: (error) =>
      error instanceof BackupFailed
        ? error
        : new BackupFailed({
            reason: "failed",
            message: `Cannot use the folder of backups: ${(error as Error).message}.`,
            hint: "Correct that, then try again.",
          }),
  });
}
