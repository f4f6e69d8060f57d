/**
 * Torn tokens: those of parts that ClickHouse was about to put into their place when it was killed.
 *
 *   insert ──token into the table's log──▶ kill -9 ──✗──▶ part into its place
 *   next start ──▶ the last tokens of each log whose part is nowhere ──▶ taken out, so that the insert that is repeated stores
 *
 * ClickHouse itself reads the log back as it is, takes the repeated insert for
 * one that is stored, and its rows are lost. Only the last part of a log can be
 * torn: both steps are taken under one lock of the table.
 *
 * @module
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterKill } from "./engine_lock.ts";

/** Of a log's end; tokens of one part are some hundred bytes. */
const TAIL_BYTES_MAX = 64 * 1024;

/** Takes torn tokens out of the logs of an engine that was killed; answers their parts. Throws what the file system throws. */
export function forgetTornTokens(enginePath: string): readonly string[] {
  return afterKill(enginePath, () => tablesOf(join(enginePath, "store")).flatMap(forgetIn)) ?? [];
}

/** Where the torn tokens begin at a log's end, whose first line may be cut off; its length if there are none. Pure. */
export function tornAt(tail: string, partNames: readonly string[]): number {
  const lines = tail.slice(0, tail.lastIndexOf("\n") + 1).split(/(?<=\n)/);
  let end = lines.join("").length;
  let torn: string | undefined;
  for (const line of lines.toReversed()) {
    const [operation, name] = line.split("\t");
    // 1 adds a token, 2 drops one; nothing is dropped while a part is on its way.
    if (operation !== "1" || name === undefined || (torn ?? name) !== name || isThere(name, partNames)) break;
    torn = name;
    end -= line.length;
  }
  return end;
}

interface PartPlace {
  readonly partition: string;
  readonly min: number;
  readonly max: number;
}

/** `<partition>_<first block>_<last block>_<level>`, and a mutation's number behind it. */
function placeOf(name: string): PartPlace | undefined {
  const [, partition, min, max] = /^(.+?)_(\d+)_(\d+)_\d+(?:_\d+)?$/.exec(name) ?? [];
  return partition === undefined ? undefined : { partition, min: Number(min), max: Number(max) };
}

/** Whether a part is there, or has gone into one that is. */
function isThere(name: string, partNames: readonly string[]): boolean {
  const wanted = placeOf(name);
  // What is no part's name is nothing to judge.
  if (wanted === undefined) return true;
  return partNames.some((other) => {
    const place = placeOf(other);
    if (place === undefined || place.partition !== wanted.partition) return false;
    return place.min <= wanted.min && place.max >= wanted.max;
  });
}

/** Folders of tables that remember tokens. */
function tablesOf(store: string): readonly string[] {
  // Killed before it had made its first table.
  if (!existsSync(store)) return [];
  return [...new Bun.Glob("*/*/deduplication_logs").scanSync({ cwd: store, onlyFiles: false })].map((path) =>
    join(store, path, ".."),
  );
}

function forgetIn(table: string): readonly string[] {
  const log = newestLog(join(table, "deduplication_logs"));
  if (log === undefined) return [];
  const file = openSync(log, "r+");
  try {
    const { size } = statSync(log);
    const from = Math.max(0, size - TAIL_BYTES_MAX);
    const bytes = Buffer.alloc(size - from);
    // Latin 1: positions in the text are those of the bytes.
    const tail = bytes.toString("latin1", 0, readSync(file, bytes, 0, bytes.length, from));
    const end = tornAt(tail, readdirSync(table));
    if (end === tail.length) return [];
    ftruncateSync(file, from + end);
    fsyncSync(file);
    return [
      ...new Set(
        tail
          .slice(end)
          .split("\n")
          .flatMap((line) => line.split("\t")[1] ?? []),
      ),
    ];
  } finally {
    closeSync(file);
  }
}

/** The log with the last tokens; a newer one may have been opened behind them. */
function newestLog(folder: string): string | undefined {
  const number = (name: string) => Number(/\d+/.exec(name)?.[0] ?? 0);
  const newestFirst = readdirSync(folder).sort((one, other) => number(other) - number(one));
  return newestFirst.map((name) => join(folder, name)).find((path) => statSync(path).size > 0);
}
