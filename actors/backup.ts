/**
 * Backups: the whole platform as of one moment, made while it works.
 *
 *   definitions held, owners at rest ──▶ tables copied as hard links ──▶ the log's copy begun ──▶ owners go on
 *                                                    └──▶ both written into a folder ──▶ whole
 *
 * Exact, because at rest everything that landed is committed and nothing is
 * announced: the tables hold the log's records up to its commits. The log's copy
 * begins after the tables', so it holds every record of which they have a row.
 * What it holds beyond its commits lands when it is restored.
 *
 * @module
 */
import {
  type Backup,
  BackupFailed,
  beginBackup,
  DATA_FORMAT,
  discardBackup,
  finishBackup,
  Log,
  type LogCopy,
  type LogFailed,
  listBackups,
  type PartialBackup,
  roomFor,
  type UnreadableBackup,
  Warehouse,
  type WarehouseFailed,
} from "@weir/connectors";
import {
  BACKUP_DATABASE,
  BACKUP_FORMAT,
  backupStatement,
  copyName,
  createCopy,
  fillCopy,
  hasRows,
  literal,
  type Manifest,
  WAREHOUSE_DATABASES,
  type WarehouseObject,
} from "@weir/sql";
import { Clock, Context, Effect, Layer, type Scope, Semaphore } from "effect";
import { whileAway } from "./away_retry.ts";
import { Catalog, type ChangeFailures, Sources } from "./catalog/catalog.ts";
import { stillHeld } from "./hold.ts";
import { NUMBERS } from "./read_settings.ts";

/** What can go wrong while a backup is made or restored. */
export type BackupFailures = BackupFailed | ChangeFailures;

/** Makes backups and knows those that there are. */
export class Backups extends Context.Service<
  Backups,
  {
    /** Makes one; its name is a time unless one is given. One at a time. */
    readonly make: (name: string | undefined) => Effect.Effect<Backup, BackupFailures>;
    /** Those that there are; undefined if none can be made here. */
    readonly all: Effect.Effect<readonly (Backup | UnreadableBackup)[] | undefined, BackupFailed>;
  }
>()("weir/actors/Backups") {}

/** How often the engine is asked how far it is. */
const POLL_EVERY = "100 millis";

/** Where backups go. */
export interface BackupOptions {
  /** A folder that the engine may write to; without it none can be made: the engine is not ours to back up. */
  readonly dir?: string | undefined;
}

/** Backups in a folder of the engine's machine. */
export const backupsLayer = ({
  dir,
}: BackupOptions): Layer.Layer<Backups, never, Log | Warehouse | Sources | Catalog> =>
  Layer.effect(
    Backups,
    Effect.gen(function* () {
      const context = yield* Effect.context<Log | Warehouse | Sources | Catalog>();
      const one = yield* Semaphore.make(1);
      const make = Effect.fnUntraced(function* (name: string | undefined) {
        if (dir === undefined) return yield* notOurs;
        const nowMs = yield* Clock.currentTimeMillis;
        const folder = yield* beginBackup(dir, name ?? nameAt(nowMs));
        const made = Effect.scoped(makeIn(folder, nowMs));
        return yield* Effect.onError(made, () => discardBackup(folder));
      }, Effect.scoped);
      const alone = one.withPermitsIfAvailable(1);
      return {
        make: (name) =>
          Effect.flatMap(alone(make(name)), (done) =>
            done._tag === "Some" ? Effect.succeed(done.value) : beingMade,
          ).pipe(Effect.provideContext(context)),
        all: dir === undefined ? Effect.succeed(undefined) : listBackups(dir),
      };
    }),
  );

const beingMade = Effect.fail(
  new BackupFailed({
    reason: "refused",
    message: "Cannot make a backup: another one is being made.",
    hint: "Wait until it is finished.",
  }),
);

const notOurs = new BackupFailed({
  reason: "refused",
  message: "Cannot make a backup: ClickHouse is not the embedded one (CLICKHOUSE_URL).",
  hint: "Back that server up with its own BACKUP.",
});

/** `20261122T210501Z` */
function nameAt(nowMs: number): string {
  return new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}

/** What was taken at one moment. */
interface Cut {
  readonly objects: readonly WarehouseObject[];
  readonly log: LogCopy;
  readonly catalog: number;
}

const makeIn = Effect.fnUntraced(function* (
  folder: PartialBackup,
  nowMs: number,
): Effect.fn.Return<Backup, BackupFailures, Log | Warehouse | Sources | Catalog | Scope.Scope> {
  const { unchanged } = yield* Catalog;
  yield* roomFor(folder, yield* bytesNow);
  yield* Effect.acquireRelease(dropCopies, () => Effect.ignore(dropCopies));
  const { objects, log, catalog } = yield* unchanged(takeCut(folder));
  const tables = yield* copied(objects);
  const id = crypto.randomUUID();
  yield* runToEnd(backupStatement(objects, { folder: folder.warehouse, id }), id);
  const { topics, ...copy } = yield* log.finish;
  const manifest: Manifest = {
    format: BACKUP_FORMAT,
    data_format: DATA_FORMAT,
    made_at: new Date(nowMs).toISOString(),
    catalog,
    topics: topics as Manifest["topics"],
    tables,
    log: copy,
  };
  return yield* finishBackup(folder, manifest);
});

/** Bytes of all tables and of the log. Asked before anything is written: a copy that is given up has taken its room already. */
const bytesNow = Effect.gen(function* () {
  const { rows } = yield* Warehouse;
  const { diskBytes } = yield* Log;
  const [{ bytes }] = yield* rows<{ bytes: number }>(
    "admin",
    `SELECT ifNull(sum(total_bytes), 0) AS bytes FROM system.tables WHERE database IN (${WAREHOUSE_DATABASES.map(literal).join(", ")})`,
    NUMBERS,
  );
  return bytes + ((yield* diskBytes) ?? 0);
});

/** Copies every table as hard links and begins the copy of the log, all at one moment; definitions must not change meanwhile. */
const takeCut = Effect.fnUntraced(function* (
  folder: PartialBackup,
): Effect.fn.Return<Cut, WarehouseFailed | LogFailed, Log | Warehouse | Sources | Scope.Scope> {
  const { command } = yield* Warehouse;
  const log = yield* Log;
  const sources = yield* Sources;
  const objects = yield* objectsOf(WAREHOUSE_DATABASES);
  const withRows = objects.filter(hasRows);
  yield* command("admin", `CREATE DATABASE ${BACKUP_DATABASE} ENGINE = Atomic`);
  for (const statement of withRows.flatMap(createCopy)) yield* command("admin", statement);
  return yield* sources.atRest(
    Effect.gen(function* () {
      for (const object of withRows) yield* command("admin", fillCopy(object));
      const copy = yield* log.copy(folder.log);
      yield* stillHeld;
      return { objects, log: copy, catalog: yield* catalogVersion };
    }),
  );
});

const objectsOf = Effect.fnUntraced(function* (databases: readonly string[]) {
  const { rows } = yield* Warehouse;
  // What a refreshed model is being computed into has a name that begins with a dot, and goes by itself.
  return yield* rows<WarehouseObject>(
    "admin",
    `SELECT database, name, engine FROM system.tables
     WHERE database IN (${databases.map(literal).join(", ")}) AND NOT startsWith(name, '.') ORDER BY database, name`,
  );
});

const catalogVersion = Effect.gen(function* () {
  const { rows } = yield* Warehouse;
  const [{ catalog }] = yield* rows<{ catalog: number }>(
    "admin",
    "SELECT max(catalog) AS catalog FROM weir.definition",
    NUMBERS,
  );
  return catalog;
});

/** Rows of each copied table. */
const copied = Effect.fnUntraced(function* (objects: readonly WarehouseObject[]) {
  const { rows } = yield* Warehouse;
  const found = yield* rows<{ name: string; rows: number; exact: number }>(
    "admin",
    `SELECT name, ifNull(total_rows, 0) AS rows,
            engine = 'MergeTree' AND position(engine_full, ' TTL ') = 0 AS exact
     FROM system.tables WHERE database = ${literal(BACKUP_DATABASE)}`,
    NUMBERS,
  );
  const byName = new Map(found.map((copy) => [copy.name, copy]));
  return objects.filter(hasRows).map((object) => {
    const name = copyName(object);
    const copy = byName.get(name);
    return { name, rows: copy?.rows ?? 0, exact: copy?.exact === 1 };
  });
});

/** Removes the copies, also those of a process that was killed. */
const dropCopies = Effect.gen(function* () {
  const { command } = yield* Warehouse;
  yield* command("admin", `DROP DATABASE IF EXISTS ${BACKUP_DATABASE} SYNC`);
});

/** Starts what system.backups knows by `id` and waits for its end. */
export const runToEnd = Effect.fnUntraced(function* (
  statement: string,
  id: string,
): Effect.fn.Return<void, WarehouseFailed | BackupFailed, Warehouse> {
  const { command, rows } = yield* Warehouse;
  yield* command("admin", statement);
  for (;;) {
    const [state] = yield* whileAway(
      rows<{ status: string; error: string }>(
        "admin",
        `SELECT status, error FROM system.backups WHERE id = ${literal(id)}`,
      ),
    );
    if (state?.status === "BACKUP_CREATED" || state?.status === "RESTORED") return;
    if (state?.status !== "CREATING_BACKUP" && state?.status !== "RESTORING") {
      const why = state === undefined ? "ClickHouse was started anew meanwhile" : state.error.split("\n")[0];
      return yield* new BackupFailed({ reason: "failed", message: `Cannot go on: ${why}.`, hint: "Try again." });
    }
    yield* Effect.sleep(POLL_EVERY);
  }
});
