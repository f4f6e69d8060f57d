/**
 * Backups: the statements that make one and bring one back, and what is said of one.
 *
 *   tables ──at the barrier──▶ weir_backup.* (hard links) ──BACKUP … AS──▶ files ──RESTORE──▶ tables
 *
 * What has rows is backed up from its copy in `weir_backup` under its own name;
 * views and dictionaries have nothing but their text.
 *
 * @module
 */
import { z } from "zod";
import { identifier, literal } from "./definition/tokens.ts";

/** Where copies of tables are while a backup is made. */
export const BACKUP_DATABASE = "weir_backup";

/** The format of a backup's folder; it rises when an older Weir could not restore it. */
export const BACKUP_FORMAT = 1;

/** What a backup says of itself: its `manifest.json`. */
export const manifestSchema = z.object({
  format: z.literal(BACKUP_FORMAT),
  /** Format of the data directory that it becomes. */
  data_format: z.int().min(1),
  made_at: z.iso.datetime(),
  /** Version of the catalog. */
  catalog: z.int().min(0),
  /** What the log holds of each topic; rows that landed are those before the commits, which the log holds too. */
  topics: z.record(z.string(), z.array(z.object({ partition: z.int(), earliest: z.int(), latest: z.int() }))),
  /** `exact`: merges neither join nor drop rows, so a restored table has as many. */
  tables: z.array(z.object({ name: z.string(), rows: z.int(), exact: z.boolean() })),
  log: z.object({ bytes: z.int(), sha256: z.string() }),
});

export type Manifest = z.output<typeof manifestSchema>;

/** One object of the warehouse, as system.tables names it. */
export interface WarehouseObject {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
}

/** Whether an object has rows of its own. */
export const hasRows = ({ engine }: WarehouseObject): boolean => engine.endsWith("MergeTree");

const qualified = ({ database, name }: WarehouseObject) => `${identifier(database)}.${identifier(name)}`;

/** Name of a table's copy, in its database. */
export const copyName = ({ database, name }: WarehouseObject): string => `${database}.${name}`;

const copyOf = (object: WarehouseObject) => `${identifier(BACKUP_DATABASE)}.${identifier(copyName(object))}`;

/** Makes an empty copy that never merges. */
export const createCopy = (object: WarehouseObject): readonly string[] => [
  `CREATE TABLE ${copyOf(object)} AS ${qualified(object)}`,
  `SYSTEM STOP MERGES ${copyOf(object)}`,
];

/** Fills it with the table's rows, as hard links. */
export const fillCopy = (object: WarehouseObject): string =>
  `ALTER TABLE ${copyOf(object)} ATTACH PARTITION ALL FROM ${qualified(object)}`;

/** Begins to write objects into `folder`, a path below the engine's folder of backups; system.backups knows it by `id`. */
export function backupStatement(
  objects: readonly WarehouseObject[],
  { folder, id }: { readonly folder: string; readonly id: string },
): string {
  const elements = objects.map((object) =>
    hasRows(object) ? `TABLE ${copyOf(object)} AS ${qualified(object)}` : `TABLE ${qualified(object)}`,
  );
  return `BACKUP ${elements.join(", ")} TO File(${literal(folder)}) SETTINGS id = ${literal(id)} ASYNC`;
}

/** Begins to bring everything in `folder` back; the databases must exist and be empty. */
export const restoreStatement = ({ folder, id }: { readonly folder: string; readonly id: string }): string =>
  `RESTORE ALL FROM File(${literal(folder)}) SETTINGS id = ${literal(id)} ASYNC`;
