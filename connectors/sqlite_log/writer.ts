/**
 * The writing Worker: the only one that changes the log's file.
 *
 *   calls in order of arrival ──▶ Store ──▶ answers; retention between them
 *
 * A call that fails answers with its failure and leaves nothing behind. The WAL is
 * checkpointed by SQLite itself; when reads kept it from starting over and it has
 * grown beyond `WAL_BYTES_MAX`, this waits for them once.
 *
 * @module
 */
import { statSync } from "node:fs";
import { failureOf, openForWriting } from "./file.ts";
import type { GroupCommit, OpenCall, WriterCalls } from "./protocol.ts";
import { retain } from "./retention.ts";
import { Store, StoreMoved } from "./store.ts";

declare const self: Worker;

const WAL_BYTES_MAX = 128 << 20;
const WAL_CHECK_BYTES = 32 << 20;

type Name = keyof WriterCalls;

let store: Store;
let opened: OpenCall;
let bytesSinceCheck = 0;
let isWalKept = false;
let retaining: ReturnType<typeof setTimeout> | undefined;

self.onmessage = ({ data: [id, name, ask] }: MessageEvent<[number, Name, never]>) => {
  try {
    self.postMessage([id, undefined, perform(name, ask)]);
  } catch (error) {
    const failure = failureOf(error, name === "commit" ? "append" : "use the log");
    self.postMessage([id, failure, undefined]);
    if (failure.reason === "disk full") retainSoon(0);
    if (error instanceof StoreMoved) throw error; // ends this Worker; the next one reads the file anew
  }
};

function perform(name: Name, ask: never): unknown {
  switch (name) {
    case "open":
      return open(ask);
    case "commit":
      return commit(ask);
    case "createTopic":
    case "alterTopic":
    case "deleteTopic":
      store[name](ask);
      retainSoon(0);
      return store.catalog();
    case "nextGeneration":
      return store.nextGeneration();
    case "committed":
      return store.committed(ask);
    case "keepWal":
      isWalKept = ask;
      return undefined;
    case "retain":
      return retainNow();
    case "close":
      clearTimeout(retaining);
      return store.db.close(true);
  }
}

function open(call: OpenCall): unknown {
  store = new Store(openForWriting(call), call);
  opened = call;
  retainSoon(0);
  return store.catalog();
}

function commit(group: GroupCommit): unknown {
  const committed = store.commitGroup(group, Date.now());
  bytesSinceCheck += group.bytes.length;
  if (bytesSinceCheck > WAL_CHECK_BYTES && !isWalKept) boundWal();
  return committed;
}

function boundWal(): void {
  bytesSinceCheck = 0;
  const { size } = statSync(`${opened.file}-wal`, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > WAL_BYTES_MAX) store.db.query("PRAGMA wal_checkpoint(TRUNCATE)").get();
}

function retainSoon(delayMs: number): void {
  clearTimeout(retaining);
  retaining = setTimeout(retainNow, delayMs);
}

function retainNow(): void {
  let delayMs = opened.retentionEveryMs;
  try {
    const { trimmed, more } = retain(store, { nowMs: Date.now(), onceMsMin: opened.onceMsMin });
    if (trimmed.length > 0) self.postMessage([0, undefined, { trimmed }]);
    if (more) delayMs = 0;
  } catch (error) {
    // Nothing was removed; the next pass tries again.
    console.warn(failureOf(error, "remove old records").message);
  }
  retainSoon(delayMs);
}
