/**
 * Backups at the door.
 *
 *   GET  /v1/admin/backups     those that there are
 *   POST /v1/admin/backups     makes one: {"name"} or none; as NDJSON with progress
 *
 * Mounted below `/v1/admin`, which needs the scope `admin`. A caller names a
 * backup, never a path: all of them lie in the folder that the operator gave.
 *
 * @module
 */
import type { Backup, UnreadableBackup } from "@weir/connectors";
import { Exit } from "effect";
import { Hono } from "hono";
import { z } from "zod";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, refusalOf } from "./errors.ts";
import { readJsonBody } from "./json_body.ts";
import { answerWithProgress, type Ended } from "./progress.ts";

const BODY_BYTES_MAX = 4_096;

/** What a new backup is called. */
export const backupBody = z.strictObject({ name: z.string().min(1).max(100).optional() });

/** The routes below `/v1/admin/backups`. */
export function backups(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();

  app.get("/", async (c) => c.json({ backups: ((await orRefuse(door.run(door.backups.all))) ?? []).map(listed) }));

  app.post("/", async (c) => {
    const { name } = await readJsonBody(c.req.raw, backupBody, { bytesMax: BODY_BYTES_MAX });
    const beganMs = Date.now();
    const ended = door.run(door.backups.make(name)).then((exit): Ended => {
      if (Exit.isSuccess(exit))
        return { status: 201, body: { ...shown(exit.value), elapsed_ms: Date.now() - beganMs } };
      return refusalOf(exit.cause);
    });
    return answerWithProgress(c, { ended, progress: () => ({ elapsed_ms: Date.now() - beganMs }) });
  });
  return app;
}

const listed = (backup: Backup | UnreadableBackup) => ("problem" in backup ? backup : shown(backup));

/** The folder's path is for the operator of this machine, who has the admin scope. */
function shown({ name, path, manifest }: Backup) {
  const { made_at, catalog, tables, topics, log } = manifest;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const records = Object.fromEntries(
    Object.entries(topics).map(([topic, ranges]) => [
      topic,
      ranges.reduce((sum, { earliest, latest }) => sum + latest - earliest, 0),
    ]),
  );
  return { name, path, made_at, catalog, tables: tables.length, rows, records, log_bytes: log.bytes };
}
