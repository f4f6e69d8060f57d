/**
 * Group commit, the main thread's side: what arrives while a commit is in
 * flight becomes the next one.
 *
 *   append ──▶ queued ──pack──▶ in flight ──durable──▶ answered with its offsets
 *                 └──interrupted──▶ dropped      └──failed──▶ failed
 *
 * One group at a time is in flight: the slower the disk, the larger the groups.
 * A group is one packed buffer per partition: plain appends first, cut into
 * blobs, then one blob for each write of an append that must happen once, so
 * that the writer can leave out repeats.
 *
 * @module
 */
import { type Appended, type AppendReceipt, KeyReused, LogFailed, type Once, type Write } from "../log.ts";
import { type Catalog, grow, invalid, type Partition } from "./catalog.ts";
import { unavailable } from "./link.ts";
import type { GroupCommit, GroupCommitted, OnceEntry, OnceVerdict, StoredCommit } from "./protocol.ts";

/** A group is cut at this size, a blob at that one (a single write is never cut). */
const GROUP_BYTES_MAX = 16 << 20;
const BLOB_BYTES_MAX = 1 << 20;
const ANSWER_BYTES_MAX = 1 << 20;
const KEY_LENGTH_MAX = 1_024;
/** What a queued append costs beside its records. */
const APPEND_BYTES = 256;

type AppendDone = (failure: LogFailed | KeyReused | undefined, receipt: AppendReceipt | undefined) => void;

/** An append that waits; `cancelled` drops it unless it is in flight already. */
export interface QueuedAppend {
  readonly writes: readonly Write[];
  readonly partitions: readonly Partition[];
  readonly once: Once | undefined;
  readonly bytes: number;
  readonly done: AppendDone;
  cancelled: boolean;
}

interface QueuedCommit {
  readonly commits: readonly StoredCommit[];
  readonly done: (failure: LogFailed | undefined) => void;
}

/** One partition's share while a group is being packed. */
interface Slot {
  readonly index: number;
  readonly partition: Partition;
  /** Bytes counted first, then where the next write goes. */
  position: number;
  /** Where its last blob begins in the flat list; -1 for none yet. */
  blobAt: number;
  /** Offset of the next plain record, once the writer has said where the group begins. */
  next: number;
}

interface Group {
  readonly appends: readonly QueuedAppend[];
  readonly commits: readonly QueuedCommit[];
  readonly slots: readonly Slot[];
  /** The slot of each write, in the order of the appends. */
  readonly slotOfWrite: readonly Slot[];
  readonly message: GroupCommit;
  readonly bytes: number;
}

/** How a group reaches the writer. */
export type SendGroup = (
  group: GroupCommit,
  transfer: Bun.Transferable[],
  done: (failure: LogFailed | undefined, committed: GroupCommitted) => void,
) => void;

export class Appends {
  /** Bytes queued or in flight. */
  pendingBytes = 0;
  #catalog: Catalog;
  #send: SendGroup;
  #pendingBytesMax: number;
  #queue: QueuedAppend[] = [];
  #commits: QueuedCommit[] = [];
  #inFlight = 0;
  #scheduled = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(catalog: Catalog, send: SendGroup, options: { readonly pendingBytesMax: number }) {
    this.#catalog = catalog;
    this.#send = send;
    this.#pendingBytesMax = options.pendingBytesMax;
  }

  /** Queues an append; undefined when `done` has already heard that it cannot be. */
  append(writes: readonly Write[], once: Once | undefined, done: AppendDone): QueuedAppend | undefined {
    if (this.#closed) return refuse(done, unavailable("it is closed"));
    let bytes = APPEND_BYTES;
    const partitions: Partition[] = [];
    for (const write of writes) {
      const partition = this.#catalog.partition(write.topic, write.partition);
      if (partition instanceof LogFailed) return refuse(done, partition);
      partitions.push(partition);
      bytes += write.records.length;
    }
    if (once !== undefined) {
      bytes += once.answer.length + once.key.length;
      const failure = onceFailure(once);
      if (failure !== undefined) return refuse(done, failure);
    }
    if (this.pendingBytes + bytes > this.#pendingBytesMax) {
      return refuse(done, tooMuch(bytes, this.pendingBytes, this.#pendingBytesMax));
    }
    this.pendingBytes += bytes;
    const append: QueuedAppend = { writes, partitions, once, bytes, done, cancelled: false };
    this.#queue.push(append);
    this.#schedule();
    return append;
  }

  /** Queues positions of a consumer group; they share the fsync of the next group. */
  commit(commits: readonly StoredCommit[], done: (failure: LogFailed | undefined) => void): void {
    if (this.#closed) done(unavailable("it is closed"));
    else {
      this.#commits.push({ commits, done });
      this.#schedule();
    }
  }

  /** Sends everything queued now, so that a call made next comes after it. */
  flush(): void {
    while (this.#queue.length > 0 || this.#commits.length > 0) this.#sendGroup();
  }

  /** Refuses what comes from now on; calls back when nothing is queued or in flight. */
  close(done: () => void): void {
    this.#closed = true;
    this.flush();
    if (this.#inFlight === 0) done();
    else this.#idle.push(done);
  }

  #schedule(): void {
    if (this.#inFlight > 0 || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#inFlight === 0 && (this.#queue.length > 0 || this.#commits.length > 0)) this.#sendGroup();
    });
  }

  #sendGroup(): void {
    const group = pack(this.#takeAppends(), this.#takeCommits());
    this.#inFlight += 1;
    this.#send(group.message, [group.message.bytes.buffer as ArrayBuffer], (failure, committed) => {
      this.#inFlight -= 1;
      this.pendingBytes -= group.bytes;
      if (failure === undefined) answer(group, committed);
      else fail(group, failure);
      if (this.#queue.length > 0 || this.#commits.length > 0) this.#schedule();
      else if (this.#inFlight === 0) for (const done of this.#idle.splice(0)) done();
    });
  }

  #takeAppends(): readonly QueuedAppend[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes + this.#queue[count].bytes <= GROUP_BYTES_MAX)) {
      bytes += this.#queue[count++].bytes;
    }
    const taken = count === this.#queue.length ? this.#queue : this.#queue.splice(0, count);
    if (taken === this.#queue) this.#queue = [];
    const live = taken.filter((append) => !append.cancelled);
    for (const append of taken) if (append.cancelled) this.pendingBytes -= append.bytes;
    return live;
  }

  #takeCommits(): readonly QueuedCommit[] {
    const taken = this.#commits;
    this.#commits = [];
    return taken;
  }
}

/** Packs appends into one buffer: slot after slot, in each the plain appends first. */
function pack(appends: readonly QueuedAppend[], commits: readonly QueuedCommit[]): Group {
  const slots: Slot[] = [];
  const slotOfWrite: Slot[] = [];
  const slotOf = new Map<Partition, Slot>();
  let bytes = 0;
  for (const append of appends) {
    bytes += append.bytes;
    for (let i = 0; i < append.writes.length; i++) {
      const partition = append.partitions[i];
      let slot = slotOf.get(partition);
      if (slot === undefined) {
        slot = { index: slots.length, partition, position: 0, blobAt: -1, next: 0 };
        slotOf.set(partition, slot);
        slots.push(slot);
      }
      slot.position += append.writes[i].records.length;
      slotOfWrite.push(slot);
    }
  }
  let length = 0;
  for (const slot of slots) {
    const start = length;
    length += slot.position;
    slot.position = start;
  }
  const message = {
    bytes: new Uint8Array(new ArrayBuffer(length)),
    keys: slots.map((slot) => slot.partition.key),
    blobs: [] as number[],
    once: [] as OnceEntry[],
    commits: commits.flatMap((commit) => commit.commits),
  };
  placeAll(appends, slotOfWrite, message);
  return { appends, commits, slots, slotOfWrite, message, bytes };
}

/** Copies every write to its place; those of once appends after the others, each a blob of its own. */
function placeAll(
  appends: readonly QueuedAppend[],
  slotOfWrite: readonly Slot[],
  message: { readonly bytes: Uint8Array; readonly blobs: number[]; readonly once: OnceEntry[] },
): void {
  let at = 0;
  let later = false;
  for (const { once, writes } of appends) {
    if (once === undefined) for (let i = 0; i < writes.length; i++) place(slotOfWrite[at + i], writes[i], message, -1);
    else later = true;
    at += writes.length;
  }
  if (!later) return;
  at = 0;
  for (const { once, writes } of appends) {
    if (once !== undefined) {
      const { key, fingerprint, answer } = once;
      const placed = writes.map((write, i) => {
        const { topic, partition, records } = write;
        place(slotOfWrite[at + i], write, message, message.once.length);
        return { topic, partition, slot: slotOfWrite[at + i].index, count: records.count };
      });
      message.once.push({ key, fingerprint, answer, writes: placed });
    }
    at += writes.length;
  }
}

/** Copies one write into its slot, into the slot's last blob if that may still grow. */
function place(
  slot: Slot,
  { records }: Write,
  { bytes, blobs }: { readonly bytes: Uint8Array; readonly blobs: number[] },
  once: number,
): void {
  if (records.count === 0) return;
  const start = slot.position;
  const end = start + records.length;
  records.copyTo(bytes, start);
  slot.position = end;
  const at = slot.blobAt;
  if (at >= 0 && once < 0 && end - blobs[at + 1] <= BLOB_BYTES_MAX) {
    blobs[at + 2] = end;
    blobs[at + 3] += records.count;
    if (records.newestMs > blobs[at + 4]) blobs[at + 4] = records.newestMs;
  } else {
    slot.blobAt = blobs.length;
    blobs.push(slot.index, start, end, records.count, records.newestMs, once);
  }
}

/** Tells every append of a durable group its offsets; readers first, since a caller may read at once. */
function answer(group: Group, committed: GroupCommitted): void {
  for (const slot of group.slots) {
    slot.next = committed.bases[slot.index];
    grow(slot.partition, committed.latests[slot.index]);
  }
  let once = 0;
  let at = 0;
  for (const append of group.appends) {
    if (append.once !== undefined) {
      answerOnce(append, append.once.key, committed.once[once++]);
      at += append.writes.length;
      continue;
    }
    const appended: Appended[] = [];
    for (const { topic, partition, records } of append.writes) {
      const slot = group.slotOfWrite[at++];
      const first = slot.next;
      slot.next += records.count;
      appended.push({ topic, partition, first, next: slot.next, count: records.count });
    }
    append.done(undefined, { appended, repeated: false });
  }
  for (const commit of group.commits) commit.done(undefined);
}

function answerOnce(append: QueuedAppend, key: string, verdict: OnceVerdict): void {
  if (verdict.kind === "reused") append.done(new KeyReused({ key }), undefined);
  else {
    const { kind, appended, answer } = verdict;
    append.done(undefined, { appended, repeated: kind === "repeated", answer });
  }
}

function fail(group: Group, failure: LogFailed): void {
  for (const append of group.appends) append.done(failure, undefined);
  for (const commit of group.commits) commit.done(failure);
}

function refuse(done: AppendDone, failure: LogFailed): undefined {
  done(failure, undefined);
  return undefined;
}

function onceFailure({ key, answer }: Once): LogFailed | undefined {
  if (key.length > KEY_LENGTH_MAX) {
    return invalid(`Cannot append: the idempotency key has ${key.length} characters, at most ${KEY_LENGTH_MAX}.`);
  }
  if (answer.length * 3 > ANSWER_BYTES_MAX && Buffer.byteLength(answer) > ANSWER_BYTES_MAX) {
    return invalid("Cannot append: the answer kept for repeats is above 1 MiB. Send smaller batches.");
  }
  return undefined;
}

function tooMuch(bytes: number, pendingBytes: number, bytesMax: number): LogFailed {
  if (bytes > bytesMax) {
    return invalid(`Cannot append: ${bytes} bytes in one append, at most ${bytesMax}. Send smaller batches.`);
  }
  return new LogFailed({
    reason: "unavailable",
    message: `Cannot append: ${pendingBytes} bytes wait for the disk already. Try again in a moment.`,
    retriable: true,
  });
}
