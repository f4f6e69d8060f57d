/**
 * One verdict: the scanner, the judge and the engine over thousands of records.
 *
 *   scanner true ──▶ judge ok          judge ok ──▶ the engine stores it unchanged
 *   judge bad, JSON ──▶ the engine refuses it, but for the leftovers named below
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Source } from "@weir/sql";
import { type Conform, conform } from "@weir/sql";
import { type Engine, engine } from "./conform_engine.ts";
import { randomOf, TYPES, type ValueCase, valueCases } from "./conform_values.ts";

const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31));
const SALT = "s4lt";
const TIME_MS = Date.UTC(2290, 0, 1);
const TOPIC = "t";
const PROBES_MAX = 4;
/** Refused records of one type that the engine is asked about, one by one; chosen by the seed. */
const ASKED_MAX = Number(process.env.WEIR_ASKED ?? 30);

let running: Engine;

beforeAll(async () => {
  console.log(`WEIR_SEED=${seed}`);
  running = await engine();
});

afterAll(() => running.stop());

/** A source of `n` and one column of the type, or of the given columns. */
function sourceOf(columns: Readonly<Record<string, string>>, about: Partial<Source> = {}): Source {
  return {
    kind: "source",
    layer: "ods",
    name: "t",
    doc: "",
    topic: TOPIC,
    partitions: 1,
    key: undefined,
    eventTime: undefined,
    unknown: "reject",
    format: { kind: "json" },
    drift: "quarantine",
    retention: {},
    partitionBy: "month",
    columns: Object.entries(columns).map(([name, type]) => ({ name, type, comment: "", codec: "" })),
    ...about,
  };
}

/** The record as a table actor sends it. */
function spliced(form: Conform, text: string, offset: number, timeMs: number): string {
  const { partition, offset: offsetName, time } = form.companions(SALT);
  return `{"${partition}":3,"${offsetName}":${offset},"${time}":${timeMs},${form.normalise(text).slice(1)}\n`;
}

function scans(form: Conform, text: string, timeMs: number): boolean {
  const bytes = new TextEncoder().encode(`##${text}##`);
  return form.scanner.scan(bytes, 2, bytes.length - 2, timeMs);
}

/** The key that the scanner or, if it does not know, the judge finds. */
function scannedKey(form: Conform, text: string): string | undefined {
  const bytes = new TextEncoder().encode(text);
  expect(form.scanner.scan(bytes, 0, bytes.length, TIME_MS)).toBe(true);
  const { keyStart, keyEnd } = form.scanner;
  return keyStart < 0 ? undefined : new TextDecoder().decode(bytes.subarray(keyStart, keyEnd));
}

async function accepts(form: Conform, text: string, timeMs = TIME_MS): Promise<boolean> {
  const body = spliced(form, text, 0, timeMs);
  try {
    await running.run(form.probe({ topic: TOPIC, epoch: 1, salt: SALT }), { body, settings: form.settings });
    return true;
  } catch (error) {
    // Anything but a refusal of the data is a fault of the projection itself.
    expect(String(error)).not.toMatch(/Code: (42|43|46|47|62|115|386|36)\./);
    return false;
  }
}

const NESTED = /Array|Map|Tuple/;

/** What the engine alone takes and only scanner and judge refuse. */
function isLeftover(record: ValueCase, reason: string): boolean {
  const json = record.json ?? "";
  if (reason.startsWith("it is not JSON")) return true;
  if (NESTED.test(record.type)) return true;
  if (/Int/.test(record.type)) return json === '""' || /\d{39}/.test(json);
  // In quotes it reads a second sign over.
  if (/Float/.test(record.type)) return /^"[+-]{2}/.test(json);
  if (/Decimal\(76/.test(record.type)) return true;
  if (/Decimal/.test(record.type)) return json.startsWith('"') || /\.\d{21}|e-?\d\d/i.test(json);
  return false;
}

/** At most ASKED_MAX of the items. */
function sampled<T>(items: readonly T[], random: () => number): T[] {
  const weighed = items.map((item) => ({ item, weight: random() }));
  weighed.sort((left, right) => left.weight - right.weight);
  return weighed.slice(0, ASKED_MAX).map(({ item }) => item);
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: PROBES_MAX }, worker));
}

async function storedOf(form: Conform, texts: readonly string[], type: string): Promise<unknown[]> {
  await running.run("DROP TABLE IF EXISTS t");
  await running.run(`CREATE TABLE t (v ${type}, _topic LowCardinality(String), _partition UInt32, _offset UInt64, _epoch UInt32,
    _event_time DateTime64(3, 'UTC'), _ingest_time DateTime64(3, 'UTC'), _op LowCardinality(String)) ENGINE = Memory`);
  const body = texts.map((text, offset) => spliced(form, text, offset, TIME_MS)).join("");
  const insert = form.insert({ table: "t", topic: TOPIC, epoch: 1, salt: SALT, deadlineMs: Date.now() + 60_000 });
  await running.run(insert, { body, settings: form.settings });
  const value = NESTED.test(type) ? "toJSONString(v)" : timeText(type);
  const answer = await running.run(
    `SELECT _offset, ${value} FROM t WHERE _partition = 3 AND _topic = 't' ORDER BY _offset FORMAT JSONCompactEachRow`,
  );
  const lines = answer.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line)[1]);
}

/** Whole seconds since 1970 and the fraction, without a zone. */
function timeText(type: string): string {
  return /DateTime/.test(type) ? "toString(toTimeZone(v, 'UTC'))" : "toString(v)";
}

/** What a stored value must look like, worked out without the code under test. */
function expectedOf(type: string, json: string | undefined): unknown {
  if (json === undefined || json === "null") return null;
  const value: unknown = JSON.parse(json);
  if (/U?Int/.test(type)) return BigInt(String(json).replaceAll(/["+]/g, "")).toString();
  if (/Bool/.test(type)) return String(value === true || value === 1);
  if (/DateTime/.test(type)) return undefined;
  if (/UUID/.test(type)) return String(value).toLowerCase();
  if (/Float32/.test(type)) return { float: Math.fround(Number(value)) };
  if (/Float64/.test(type)) return { float: Number(value) };
  if (/IP|Decimal/.test(type)) return undefined;
  return value;
}

describe("conform()", () => {
  test.each(TYPES)(
    "has one verdict on values of %s",
    async (type) => {
      const form = conform(sourceOf({ v: type }));
      const random = randomOf(seed ^ Bun.hash.crc32(type));
      const cases = valueCases(type, random);
      const good: (ValueCase & { text: string })[] = [];
      const bad: (ValueCase & { text: string; reason: string })[] = [];
      for (const one of cases) {
        const text = one.json === undefined ? "{ }" : `{"v":${one.json}}`;
        const verdict = form.judge(text, TIME_MS);
        expect([one.json, scans(form, text, TIME_MS) && !verdict.ok]).toEqual([one.json, false]);
        if (one.isOk !== undefined) expect([text, verdict.ok]).toEqual([text, one.isOk]);
        if (verdict.ok) good.push({ ...one, text });
        else bad.push({ ...one, text, reason: verdict.reason });
      }
      const stored = await storedOf(
        form,
        good.map(({ text }) => text),
        type,
      ).catch(async (error) => {
        const refused: string[] = [];
        await each(good, async ({ text }) => void ((await accepts(form, text)) || refused.push(text)));
        throw new Error(`the engine refuses what the judge takes: ${refused.join(" ")}\n${error}`);
      });
      expect(stored.length).toBe(good.length);
      const differing: unknown[] = [];
      good.forEach(({ json, stored: want }, index) => {
        const expected = want ?? (NESTED.test(type) ? undefined : expectedOf(type, json));
        const found = stored[index];
        if (NESTED.test(type) && !isLoose(type, JSON.parse(String(found)), JSON.parse(json ?? "")))
          differing.push([json, found]);
        if (expected === undefined) return;
        const isSame = isFloat(expected) ? Object.is(parseFloatText(type, found), expected.float) : found === expected;
        if (!isSame) differing.push([json, found, expected]);
      });
      expect(differing).toEqual([]);
      const taken: unknown[] = [];
      const asked = sampled(
        bad.filter((one) => !isLeftover(one, one.reason)),
        random,
      );
      await each(asked, async ({ text, reason }) => {
        if (await accepts(form, text)) taken.push([text, reason]);
      });
      expect(taken).toEqual([]);
    },
    20_000,
  );
});

/** Equal but for integers in quotes; times and Decimals are left to their own columns. */
function isLoose(type: string, found: unknown, sent: unknown): boolean {
  if (/Date|Decimal/.test(type)) return true;
  const loosely = (value: unknown) =>
    JSON.stringify(value, (_, leaf) => (typeof leaf === "number" ? String(leaf) : leaf));
  return loosely(found) === loosely(sent);
}

function isFloat(expected: unknown): expected is { float: number } {
  return typeof expected === "object" && expected !== null && "float" in expected;
}

function parseFloatText(type: string, text: unknown): number {
  return type.includes("32") ? Math.fround(Number(text)) : Number(text);
}

const flights = sourceOf(
  {
    flight_id: "String",
    departed_at: "DateTime64(3, 'UTC')",
    origin: "LowCardinality(String)",
    distance: "UInt32",
    delay: "Nullable(Int32)",
  },
  { key: "flight_id", eventTime: "departed_at" },
);
const RECORD_MS = Date.UTC(2024, 0, 2, 3, 0, 0);
const GOOD = '{"flight_id":"a","departed_at":"2024-01-02T03:04:05Z","origin":"ATL","distance":7,"delay":-3}';

/** What a record looks like as a whole; the last column says which modes of `unknown` take it. */
const RECORDS: readonly (readonly [name: string, text: string, takenBy: string])[] = [
  ["the plain form", GOOD, "reject keep ignore"],
  [
    "another order",
    '{"delay":1,"distance":7,"origin":"A","flight_id":"a","departed_at":"2024-01-02T03:04:05Z"}',
    "reject keep ignore",
  ],
  ["spaces", GOOD.replaceAll('":', '" : ').replaceAll(",", " ,\n\t").replace("{", "{ \r"), "reject keep ignore"],
  ["space around", ` ${GOOD} \n`, "reject keep ignore"],
  ["escaped names", GOOD.replace("origin", "\\u006frigin"), "reject keep ignore"],
  ["a missing nullable", GOOD.replace(',"delay":-3', ""), "reject keep ignore"],
  ["a missing column", GOOD.replace('"origin":"ATL",', ""), ""],
  ["an unknown field", GOOD.replace("}", ',"x":[1,{"y":1e5}],"z":null}'), "keep ignore"],
  ["unknown first", GOOD.replace("{", '{"x":1.50,'), "keep ignore"],
  ["unknown strings", GOOD.replace("}", ',"x":"a\\u0041\\ud83d\\ude00"}'), "keep ignore"],
  ["an unknown repeated", GOOD.replace("}", ',"x":1,"x":2}'), "ignore"],
  ["an unknown deep repeated", GOOD.replace("}", ',"x":{"a":1,"a":2}}'), "ignore"],
  ["a column repeated", GOOD.replace("}", ',"origin":"ATL"}'), ""],
  ["a column repeated by escape", GOOD.replace("}", ',"\\u006frigin":"ATL"}'), ""],
  ["another case", GOOD.replace("origin", "Origin"), ""],
  ["another case beside", GOOD.replace("}", ',"Origin":"ATL"}'), "keep ignore"],
  ["__proto__", GOOD.replace("}", ',"__proto__":{"a":1}}'), "keep ignore"],
  ["constructor", GOOD.replace("}", ',"constructor":1}'), "keep ignore"],
  ["_rest", GOOD.replace("}", ',"_rest":"x"}'), "keep ignore"],
  ["_offset", GOOD.replace("}", ',"_offset":1}'), "keep ignore"],
  ["too deep", GOOD.replace("}", `,"x":${"[".repeat(70)}${"]".repeat(70)}}`), ""],
  ["a comma at the end", GOOD.replace("}", ",}"), ""],
  ["a comma too many", GOOD.replace(",", ",,"), ""],
  ["no comma", GOOD.replace(",", " "), ""],
  ["a second object", `${GOOD}\n${GOOD}`, ""],
  ["forged companions", `${GOOD}\n${GOOD.replace("{", '{"_partition":1,"_offset":1,"_time":1,')}`, ""],
  ["a row of its own", `${GOOD},`, ""],
  ["text after", `${GOOD} x`, ""],
  ["an array", `[${GOOD}]`, ""],
  ["nothing", "", ""],
  ["an empty object", "{}", ""],
  ["null", "null", ""],
  ["cut off", GOOD.slice(0, -1), ""],
  ["a byte order mark", `\ufeff${GOOD}`, ""],
  ["an hour ahead", GOOD.replace("03:04:05Z", "04:00:00Z"), "reject keep ignore"],
  ["more than an hour ahead", GOOD.replace("03:04:05Z", "04:00:00.001Z"), ""],
  ["ahead by its offset", GOOD.replace("03:04:05Z", "03:30:00-01:00"), ""],
];

/** Refusals that only scanner and judge can make: bytes that are no JSON, depth, repeats in what is ignored or kept. */
const LEFT_TO_JUDGE = new Set(["too deep", "a row of its own", "a byte order mark"]);

describe("conform() on whole records", () => {
  for (const unknown of ["reject", "keep", "ignore"] as const) {
    test.each(RECORDS)(`with unknown: ${unknown} has one verdict on %s`, async (name, text, takenBy) => {
      const form = conform({ ...flights, unknown });
      const isOk = takenBy.split(" ").includes(unknown);
      const verdict = form.judge(text, RECORD_MS);
      expect(verdict.ok).toBe(isOk);
      if (scans(form, text, RECORD_MS)) expect(isOk).toBe(true);
      if (isOk) expect(await accepts(form, text, RECORD_MS)).toBe(true);
      else if (text.trimStart().startsWith("{") && unknown !== "keep" && !LEFT_TO_JUDGE.has(name)) {
        expect(await accepts({ ...form, normalise: (same) => same }, text, RECORD_MS)).toBe(false);
      }
    });
  }

  test("keeps undeclared fields byte for byte", () => {
    const form = conform({ ...flights, unknown: "keep" });
    const kept = form.normalise(GOOD.replace("{", '{"x": 1.50, "y" :{"z":"\\u0041"},'));
    expect(JSON.parse(kept)._rest).toBe('{"x": 1.50,"y" :{"z":"\\u0041"}}');
    expect(form.judge(kept.replace(/,"_rest".*/, "}"), RECORD_MS).ok).toBe(true);
  });

  test("refuses a record without its companions, or an insert past its deadline", async () => {
    const form = conform(flights);
    const settings = form.settings;
    const sql = form.probe({ topic: TOPIC, epoch: 1, salt: SALT });
    await expect(running.run(sql, { body: GOOD, settings })).rejects.toThrow("without its position");
    const late = form.insert({
      table: "FUNCTION null('a UInt8')",
      topic: TOPIC,
      epoch: 1,
      salt: SALT,
      deadlineMs: Date.now() - 1,
    });
    const insert = late
      .replace(/null\('a UInt8'\) \(.*\)\n/, "null('a UInt8')\n")
      .replace(/SELECT [\s\S]*?FROM \(/, "SELECT 1 FROM (");
    await expect(running.run(insert, { body: spliced(form, GOOD, 1, RECORD_MS), settings })).rejects.toThrow(
      "deadline",
    );
  });

  test("scans and keys the columns of a wide source in any order", async () => {
    const names = Array.from({ length: 70 }, (_, index) => `c${index}`);
    const columns = Object.fromEntries(
      names.map((name, index) => [name, index % 3 === 0 ? "Nullable(Int64)" : "String"]),
    );
    const form = conform(sourceOf(columns, { key: "c65" }));
    const random = randomOf(seed);
    const records: string[] = [];
    for (let n = 0; n < 30; n++) {
      const order = sampled(names, random)
        .concat(names)
        .filter((name, index, all) => all.indexOf(name) === index);
      const here = order.filter((name) => columns[name] === "String" || random() < 0.5);
      const record = Object.fromEntries(here.map((name) => [name, columns[name] === "String" ? `v${name}` : n]));
      const text = JSON.stringify(record);
      records.push(text);
      expect(scannedKey(form, text)).toBe("vc65");
      expect(form.judge(text, TIME_MS)).toEqual({ ok: true, key: "vc65" });
      const without = JSON.stringify({ ...record, c1: undefined });
      expect(scans(form, without, TIME_MS)).toBe(false);
      expect(scans(form, text.replace(/}$/, ',"c68":"again"}'), TIME_MS)).toBe(false);
    }
    const body = records.map((text, offset) => spliced(form, text, offset, TIME_MS)).join("");
    await running.run(form.probe({ topic: TOPIC, epoch: 1, salt: SALT }), { body, settings: form.settings });
  });
});

describe("conform() keys", () => {
  test.each([
    ["String", '"a b"', "a b"],
    ["String", '""', ""],
    ["String", '"\\u0061"', "a"],
    ["UInt64", "18446744073709551615", "18446744073709551615"],
    ["UInt64", '"007"', "7"],
    ["Int32", "-5", "-5"],
    ["Int32", "-0", "0"],
    ["Nullable(Int32)", "null", undefined],
    ["Decimal(10, 2)", "1.50", "1.5"],
    ["Decimal(10, 2)", '"-0.00"', "0"],
    ["Decimal(10, 2)", "12e-1", "1.2"],
    ["Decimal(10, 2)", "1e3", "1000"],
    ["UUID", '"61F0C404-5CB3-11E7-907B-A6006AD3DBA0"', "61f0c404-5cb3-11e7-907b-a6006ad3dba0"],
    ["Bool", "1", "true"],
    ["Date", '"2024-02-29"', "2024-02-29"],
  ] as const)("key %s by %s", (type, json, key) => {
    const form = conform(sourceOf({ v: type }, { key: "v" }));
    const text = `{"v":${json}}`;
    expect(form.judge(text, TIME_MS)).toEqual({ ok: true, key });
    if (scans(form, text, TIME_MS)) expect(scannedKey(form, text)).toBe(key);
  });
});
