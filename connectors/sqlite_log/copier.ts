/**
 * The copying Worker: the whole log as of one moment, into a file of its own.
 *
 *   [file, to] ──▶ read transaction begun ──▶ `begun` ──▶ every table copied ──▶ `copied` | `failed`
 *
 * The transaction is SQLite's snapshot: appends and retention go on beside it,
 * and nothing of them is in the copy. Source: https://sqlite.org/isolation.html
 *
 * @module
 */
import { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import type { CopiedLog, OffsetRange } from "../log.ts";
import { sha256Of } from "../sha256.ts";
import { failureOf, openForWriting } from "./file.ts";
import type { CopyNotice } from "./protocol.ts";

declare const self: Worker;

/** Blobs that one statement copies. */
const BLOBS_MAX = 16;

self.onmessage = ({ data: { file, to } }: MessageEvent<{ file: string; to: string }>) => {
  try {
    const topics = copy(file, to);
    say({ kind: "copied", copied: { bytes: statSync(to).size, sha256: sha256Of(to), topics } });
  } catch (error) {
    say({ kind: "failed", failure: failureOf(error, "copy the log") });
  }
};

const say = (notice: CopyNotice) => self.postMessage(notice);

function copy(file: string, to: string): CopiedLog["topics"] {
  // With the tables, the page size and the version of every log.
  openForWriting({ file: to }).close(true);
  const db = new Database(file, { readwrite: true });
  try {
    db.query("ATTACH ? AS copy").run(to);
    db.run("BEGIN");
    const tables = db.query<{ name: string }, []>("SELECT name FROM main.sqlite_schema WHERE type = 'table'").all();
    say({ kind: "begun" });
    for (const { name } of tables) {
      db.run(`DELETE FROM copy."${name}"`);
      if (name !== "blob") db.run(`INSERT INTO copy."${name}" SELECT * FROM main."${name}"`);
    }
    copyBlobs(db);
    db.run("COMMIT");
    db.run("DETACH copy");
  } finally {
    db.close();
  }
  // The last connection to it: what the copy wrote beside the file moves into it. A file that is gone must not be made anew, empty.
  const whole = new Database(to, { readwrite: true });
  whole.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const topics = topicsIn(whole);
  whole.close(true);
  return topics;
}

/** What the copy holds: the writer may have been further than what it had told when the copy began. */
function topicsIn(db: Database): CopiedLog["topics"] {
  const partitions = db.query<{ topic: string } & OffsetRange, []>(
    `SELECT topic.name AS topic, partition.number AS partition, earliest, latest
     FROM partition JOIN topic ON topic.id = partition.topic_id ORDER BY topic.name, partition.number`,
  );
  const byTopic = Map.groupBy(partitions.all(), ({ topic }) => topic);
  return Object.fromEntries([...byTopic].map(([topic, all]) => [topic, all.map(({ topic: _, ...range }) => range)]));
}

/** Nearly all of a log. In pieces, because a Worker ends only between two statements. */
function copyBlobs(db: Database): void {
  const piece = db.query<null, [number]>(
    `INSERT INTO copy.blob SELECT * FROM main.blob WHERE id > ? ORDER BY id LIMIT ${BLOBS_MAX}`,
  );
  const last = db.query<{ id: number | null }, []>("SELECT max(id) AS id FROM copy.blob");
  for (let id = 0, copied = BLOBS_MAX; copied === BLOBS_MAX; id = last.get()!.id ?? 0) copied = piece.run(id).changes;
}
