/**
 * Producers that send events again and again, to a door that is killed over and over: each event is stored once.
 *
 *   events, new and old, until they are answered ──▶ door ──kill -9──▶ next life ──▶ … ──▶ audit
 *
 * There are no Idempotency-Keys: what comes twice is known by `dedupe` alone.
 *
 * @module
 */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DoorProcess, startProcess, temporaryFolder, until } from "../door_process.ts";
import { generator } from "../simulation/world.ts";

const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));
const KILLS = Number(process.env.WEIR_KILLS ?? 4);
const SENDERS = 3;
/** What one kill may take where the cores have a lot else to do: a life and a start. */
const KILL_MS_MAX = 5_000;
const LAND_MS_MAX = 90_000;
/** Events of one request, and how many of them were sent before. */
const BATCH = 40;
const OLD = 15;
/** Landing takes long enough to be hit. */
const SLOW_DISK = { WEIR_FSYNC_DELAY_MS: "15" };

const SOURCE = `/*---
kind: source
doc: Numbers that come more than once.
partitions: 3
dedupe: { by: id, within: 1 hour }
---*/
CREATE TABLE ods.number ( id UInt64, n UInt32 )
`;

const folder = temporaryFolder("repeats");
afterAll(folder.remove);
const random = generator(SEED);

/** Sends events until it is told to stop; what was answered is in `taken`. */
class Repeater {
  readonly taken = new Set<number>();
  /** Events that were answered, as often as they were. */
  answered = 0;
  door: DoorProcess | undefined;
  #isRunning = true;
  #next = 0;
  readonly #senders: Promise<void>[];

  constructor(door: DoorProcess) {
    this.door = door;
    this.#senders = Array.from({ length: SENDERS }, () => this.#send());
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#senders);
  }

  async #send(): Promise<void> {
    while (this.#isRunning) {
      const ids = Array.from({ length: BATCH }, (_, index) =>
        index < OLD ? Math.floor(random() * this.#next) : this.#next++,
      );
      const body = ids.map((id) => JSON.stringify({ id, n: id % 1_000 })).join("\n");
      while (!(await this.#isTaken(body))) await Bun.sleep(20);
      this.answered += BATCH;
      for (const id of ids) this.taken.add(id);
    }
  }

  async #isTaken(body: string): Promise<boolean> {
    // Without an answer nobody knows if it was taken: it is sent again as it is, without a key.
    const headers = { "content-type": "application/x-ndjson" };
    const response = await this.door?.post("/v1/ingest/number", body, headers).catch(() => undefined);
    return response?.ok === true;
  }
}

interface Seen {
  readonly rows: number;
  readonly ids: number;
  readonly sum: number;
  readonly stored: number;
  readonly duplicate: number;
  readonly quarantined: number;
  readonly landed: number;
  readonly lag: number;
}

async function look(door: DoorProcess): Promise<Seen> {
  const { sources } = (await (await door.get("/v1/admin/status")).json()) as { sources: { lag_records: number }[] };
  const [row] = await door.sql<Record<string, string>>(
    `SELECT r.1 AS rows, r.2 AS ids, r.3 AS sum, b.1 AS stored, b.2 AS duplicate, b.3 AS quarantined, b.4 AS landed
     FROM (SELECT (SELECT (count(), uniqExact(id), sum(n)) FROM ods.number) AS r,
                  (SELECT (sum(stored), sum(duplicate), sum(quarantined), sum(arraySum(x -> x.3 - x.2, ranges)))
                   FROM weir.batch WHERE statement = 'ods.number') AS b)`,
  );
  const numbers = Object.fromEntries(Object.entries(row!).map(([name, text]) => [name, Number(text)]));
  return { ...(numbers as unknown as Omit<Seen, "lag">), lag: sources[0]!.lag_records };
}

test(
  `events that are sent again are stored once, through ${KILLS} kills of the door (WEIR_SEED=${SEED})`,
  async () => {
    const projectDir = join(folder.path, "project");
    mkdirSync(join(projectDir, "ods"), { recursive: true });
    writeFileSync(join(projectDir, "ods", "number.sql"), SOURCE);
    const life = { dataDir: join(folder.path, "door"), projectDir, env: SLOW_DISK };
    let door = await startProcess(life);
    const repeater = new Repeater(door);
    for (let kill = 0; kill < KILLS; kill++) {
      await Bun.sleep(150 + random() * 300);
      repeater.door = undefined;
      await door.kill();
      door = await startProcess(life);
      repeater.door = door;
    }
    await repeater.stop();
    const { taken, answered } = repeater;
    const seen = await until("landing", () => look(door), { holds: ({ lag }) => lag === 0, withinMs: LAND_MS_MAX });
    const events = taken.size;
    const sum = [...taken].reduce((all, id) => all + (id % 1_000), 0);
    expect(seen).toMatchObject({ rows: events, ids: events, sum, stored: events, quarantined: 0 });
    expect(seen.stored + seen.duplicate).toBe(seen.landed);
    // What was taken without an answer came once more.
    expect(seen.duplicate).toBeGreaterThanOrEqual(answered - events);
    console.log(`${events} events, ${seen.duplicate} repeats`);
    await door.stop();
  },
  2 * LAND_MS_MAX + KILLS * KILL_MS_MAX,
);
