/**
 * The writer's store: group commits, topics and generations, each one transaction.
 *
 *   begin ──▶ changes ──▶ COMMIT, fsynced ──▶ answered
 *      └──any error──▶ ROLLBACK, nothing kept ──▶ failed
 *
 * Each partition's range and size are kept in memory as well; they change only
 * after a COMMIT returned. Runs in the writing Worker alone.
 *
 * @module
 */
import type { Database, Statement } from "bun:sqlite";
import type { Appended, Retention } from "../log.ts";
import {
  BLOB_NUMBERS,
  type Failure,
  type GroupCommit,
  type GroupCommitted,
  type OnceEntry,
  type OnceVerdict,
  type StoredCommit,
  type StoredTopic,
} from "./protocol.ts";

/** A partition in the writer's memory. */
export interface Held {
  readonly key: number;
  earliest: number;
  latest: number;
  /** Packed bytes in its blobs. */
  bytes: number;
}

/** A partition's share of the group that is being written. */
interface Slot {
  readonly held: Held;
  readonly base: number;
  latest: number;
  bytes: number;
  /** Offset of the next record of a once entry; -1 while none was seen. */
  onceNext: number;
}

type Verdict = OnceVerdict | number | undefined;

interface OnceRow {
  readonly fingerprint: string;
  readonly appended: string;
  readonly answer: string;
}

/** The file is not as it was left: a crashed Worker's last commit came after this one had read it. Read it again. */
export class StoreMoved extends Error {
  constructor(key: number) {
    super(`the partition with key ${key} is not where it should be`);
  }
}

export class Store {
  readonly db: Database;
  readonly held = new Map<number, Held>();
  #fsyncDelayMs: number;
  #begin: Statement;
  #commit: Statement;
  #insertBlob: Statement;
  #growPartition: Statement;
  #findOnce: Statement<OnceRow, [string]>;
  #insertOnce: Statement;
  #upsertCommit: Statement;

  constructor(db: Database, options: { readonly fsyncDelayMs: number }) {
    this.db = db;
    this.#fsyncDelayMs = options.fsyncDelayMs;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#insertBlob = db.prepare(
      "INSERT INTO blob (partition_key, base, count, newest_ms, packed) VALUES (?, ?, ?, ?, ?)",
    );
    this.#growPartition = db.prepare("UPDATE partition SET latest = ?, bytes = ? WHERE key = ? AND latest = ?");
    this.#findOnce = db.prepare("SELECT fingerprint, appended, answer FROM once WHERE key = ?");
    this.#insertOnce = db.prepare(
      "INSERT INTO once (key, fingerprint, at_ms, appended, answer) VALUES (?, ?, ?, ?, ?)",
    );
    this.#upsertCommit = db.prepare(
      `INSERT INTO member_commit (name, topic_id, partition, "offset", metadata) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET "offset" = excluded."offset", metadata = excluded.metadata`,
    );
    for (const row of db.query<Held, []>("SELECT key, earliest, latest, bytes FROM partition").all()) {
      this.held.set(row.key, row);
    }
  }

  /** Runs `change` in one durable transaction: all of it or, on any error, nothing. */
  durably<A>(change: () => A): A {
    this.#begin.run();
    let answer: A;
    try {
      answer = change();
      this.#commit.run();
    } catch (error) {
      if (this.db.inTransaction) this.db.run("ROLLBACK");
      throw error;
    }
    if (this.#fsyncDelayMs > 0) Bun.sleepSync(this.#fsyncDelayMs);
    return answer;
  }

  /** Makes a group durable and says where each partition's share begins. */
  commitGroup(group: GroupCommit, nowMs: number): GroupCommitted {
    const { slots, once } = this.durably(() => this.#writeGroup(group, nowMs));
    for (const { held, latest, bytes } of slots) {
      held.latest = latest;
      held.bytes = bytes;
    }
    return { bases: slots.map((slot) => slot.base), latests: slots.map((slot) => slot.latest), once };
  }

  #writeGroup(group: GroupCommit, nowMs: number): { slots: readonly Slot[]; once: readonly OnceVerdict[] } {
    const slots = group.keys.map((key): Slot => {
      const held = this.held.get(key);
      if (held === undefined) throw new StoreMoved(key);
      return { held, base: held.latest, latest: held.latest, bytes: held.bytes, onceNext: -1 };
    });
    const verdicts = this.#findVerdicts(group.once);
    this.#writeBlobs(group, slots, verdicts);
    group.once.forEach((entry, index) => {
      if (verdicts[index] !== undefined) return;
      const appended = takeOffsets(entry, slots);
      const { key, fingerprint, answer } = entry;
      this.#insertOnce.run(key, fingerprint, nowMs, JSON.stringify(appended), answer);
      verdicts[index] = { kind: "appended", appended, answer };
    });
    const once = verdicts.map((verdict, index) =>
      typeof verdict === "number" ? repeatOf(group.once[verdict], group.once[index], verdicts[verdict]) : verdict!,
    );
    for (const { group: name, topicId, partition, offset, metadata } of group.commits) {
      this.#upsertCommit.run(name, topicId, partition, offset, metadata);
    }
    return { slots, once };
  }

  #writeBlobs({ bytes, blobs }: GroupCommit, slots: readonly Slot[], verdicts: readonly Verdict[]): void {
    for (let i = 0; i < blobs.length; i += BLOB_NUMBERS) {
      const slot = slots[blobs[i]];
      const start = blobs[i + 1];
      const end = blobs[i + 2];
      const count = blobs[i + 3];
      const once = blobs[i + 5];
      if (once >= 0 && slot.onceNext < 0) slot.onceNext = slot.latest;
      if (once >= 0 && verdicts[once] !== undefined) continue; // a repeat leaves nothing
      this.#insertBlob.run(slot.held.key, slot.latest, count, blobs[i + 4], bytes.subarray(start, end));
      slot.latest += count;
      slot.bytes += end - start;
    }
    for (const { held, latest, bytes: size } of slots) {
      if (latest === held.latest) continue;
      if (this.#growPartition.run(latest, size, held.key, held.latest).changes !== 1) {
        throw new StoreMoved(held.key);
      }
    }
  }

  /** Per entry: what the file knows of its key, or the index of an earlier entry with that key, or undefined. */
  #findVerdicts(once: readonly OnceEntry[]): Verdict[] {
    const firsts = new Map<string, number>();
    return once.map((entry, index) => {
      const first = firsts.get(entry.key);
      if (first !== undefined) return first;
      firsts.set(entry.key, index);
      return this.#findVerdict(entry);
    });
  }

  #findVerdict(entry: OnceEntry): OnceVerdict | undefined {
    const row = this.#findOnce.get(entry.key);
    if (row === null) return undefined;
    if (row.fingerprint !== entry.fingerprint) return { kind: "reused" };
    // Older files do not say where the records end.
    const appended = (JSON.parse(row.appended) as Appended[]).map((one) => ({ ...one, next: one.first + one.count }));
    return { kind: "repeated", appended, answer: row.answer };
  }

  /** Everything the file has, for the main thread's catalog. */
  catalog(): readonly StoredTopic[] {
    const topics = this.db
      .query<{ id: string; name: string; age_ms_max: number | null; bytes_max: number | null }, []>(
        "SELECT id, name, age_ms_max, bytes_max FROM topic ORDER BY name",
      )
      .all();
    const partitions = this.db.query<{ key: number; number: number }, [string]>(
      "SELECT key, number FROM partition WHERE topic_id = ? ORDER BY number",
    );
    return topics.map((topic) => ({
      id: topic.id,
      name: topic.name,
      retention: { ageMsMax: topic.age_ms_max ?? undefined, bytesMax: topic.bytes_max ?? undefined },
      partitions: partitions.all(topic.id).map(({ key, number }) => {
        const { earliest, latest } = this.held.get(key)!;
        return { key, partition: number, earliest, latest };
      }),
    }));
  }

  createTopic(topic: { name: string; partitions: number; retention: Retention }): void {
    const id = crypto.randomUUID();
    const { ageMsMax = null, bytesMax = null } = topic.retention;
    this.#addPartitions(id, 0, topic.partitions, () => {
      const taken = this.db.query("SELECT 1 FROM topic WHERE name = ?").get(topic.name);
      if (taken !== null) throw topicExists(topic.name);
      this.db.query("INSERT INTO topic VALUES (?, ?, ?, ?)").run(id, topic.name, ageMsMax, bytesMax);
    });
  }

  alterTopic(topic: { name: string; partitions: number; retention: Retention }): void {
    const { ageMsMax = null, bytesMax = null } = topic.retention;
    const id = this.#topicId(topic.name);
    const { n } = this.db.query("SELECT count() AS n FROM partition WHERE topic_id = ?").get(id) as { n: number };
    this.#addPartitions(id, n, topic.partitions, () => {
      this.db.query("UPDATE topic SET age_ms_max = ?, bytes_max = ? WHERE id = ?").run(ageMsMax, bytesMax, id);
    });
  }

  /** Forgets the topic at once; its blobs are removed by retention, a bounded number at a time. */
  deleteTopic({ name }: { name: string }): void {
    const id = this.#topicId(name);
    this.durably(() => {
      this.db.query("DELETE FROM topic WHERE id = ?").run(id);
      this.db.query("UPDATE partition SET topic_id = NULL WHERE topic_id = ?").run(id);
      this.db.query("DELETE FROM member_commit WHERE topic_id = ?").run(id);
    });
  }

  /** A generation above every one before, of any group: a recreated topic fences its old members too. */
  nextGeneration(): number {
    const raise = this.db.query<{ last: number }, []>("UPDATE generation SET last = last + 1 RETURNING last");
    return this.durably(() => raise.get()!.last);
  }

  committed({ group, topicId }: { group: string; topicId: string }): readonly StoredCommit[] {
    return this.db
      .query<StoredCommit, [string, string]>(
        `SELECT name AS "group", topic_id AS topicId, partition, "offset", metadata FROM member_commit
         WHERE name = ? AND topic_id = ? ORDER BY partition`,
      )
      .all(group, topicId);
  }

  #addPartitions(topicId: string, from: number, to: number, first: () => void): void {
    const added = this.durably(() => {
      first();
      const insert = this.db.query<{ key: number }, [string, number]>(
        "INSERT INTO partition (topic_id, number, earliest, latest, bytes) VALUES (?, ?, 0, 0, 0) RETURNING key",
      );
      const keys: number[] = [];
      for (let number = from; number < to; number++) keys.push(insert.get(topicId, number)!.key);
      return keys;
    });
    for (const key of added) this.held.set(key, { key, earliest: 0, latest: 0, bytes: 0 });
  }

  #topicId(name: string): string {
    const row = this.db.query<{ id: string }, [string]>("SELECT id FROM topic WHERE name = ?").get(name);
    if (row !== null) return row.id;
    const failure: Failure = {
      reason: "unknown topic",
      message: `Cannot find the topic '${name}': it does not exist. Create it first.`,
      retriable: false,
    };
    throw failure;
  }
}

function takeOffsets(entry: OnceEntry, slots: readonly Slot[]): Appended[] {
  return entry.writes.map(({ topic, partition, slot: index, count }) => {
    const slot = slots[index];
    const first = slot.onceNext < 0 ? slot.latest : slot.onceNext;
    slot.onceNext = first + count;
    return { topic, partition, first, next: slot.onceNext, count };
  });
}

/** The answer to an entry whose key an earlier entry of the same group has. */
function repeatOf(first: OnceEntry, again: OnceEntry, verdict: Verdict): OnceVerdict {
  if (first.fingerprint !== again.fingerprint) return { kind: "reused" };
  if (typeof verdict !== "object") throw new Error(`the key '${again.key}' has no answer`);
  return verdict.kind === "reused" ? verdict : { ...verdict, kind: "repeated" };
}

function topicExists(name: string): Failure {
  return {
    reason: "topic exists",
    message: `Cannot create the topic '${name}': it exists already. Alter it, or choose another name.`,
    retriable: false,
  };
}
