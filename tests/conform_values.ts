/**
 * Values for the conform tests: column types and the JSON that records bring.
 *
 *   seed ──valueCases()──▶ (type, JSON text, what must come of it) ──▶ judge · scanner · engine
 *
 * Three kinds: traps written by hand, values made near each type's limits with
 * their stored text known, and mutations of both. The same seed makes the same
 * cases.
 *
 * @module
 */

/** One value in one column. */
export interface ValueCase {
  readonly type: string;
  /** The JSON text of the value; undefined: the field is missing. */
  readonly json: string | undefined;
  /** What the verdict must be, where that is known without asking the judge. */
  readonly isOk?: boolean;
  /** What the engine's `toString()` of the stored value must be, where that is known. */
  readonly stored?: string;
}

/** A generator of numbers in [0, 1) that a seed fixes (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const INTS = [8, 16, 32, 64, 128, 256].flatMap((bits) => [`Int${bits}`, `UInt${bits}`]);
const DECIMALS = ["Decimal(10, 2)", "Decimal(9, 0)", "Decimal(18, 18)", "Decimal(38, 10)", "Decimal(76, 20)"];
const TIMES = [
  "DateTime",
  "DateTime('UTC')",
  "DateTime('Europe/Berlin')",
  "DateTime64(3, 'UTC')",
  "DateTime64(0, 'UTC')",
  "DateTime64(6, 'America/New_York')",
  "DateTime64(9, 'UTC')",
  "DateTime64(3, 'Australia/Lord_Howe')",
];
const OTHERS = [
  "Float32",
  "Float64",
  "Bool",
  "String",
  "LowCardinality(String)",
  "LowCardinality(Nullable(String))",
  "FixedString(3)",
  "Date",
  "Date32",
  "UUID",
  "IPv4",
  "IPv6",
  "Enum8('a' = 1, 'b' = -2, '1' = 5, 'é\\'' = 7)",
  "Enum16('x' = 1000, '' = 0)",
  "Nullable(String)",
  "Nullable(Int32)",
  "Nullable(UInt64)",
  "Nullable(Float64)",
  "Nullable(Decimal(10, 2))",
  "Nullable(Bool)",
  "Nullable(Date)",
  "Nullable(DateTime64(3, 'UTC'))",
  "Nullable(DateTime('Europe/Berlin'))",
  "Nullable(UUID)",
  "Nullable(IPv6)",
  "Nullable(Enum8('a' = 1))",
  "Nullable(FixedString(2))",
];
const NESTED = [
  "Array(UInt8)",
  "Array(Nullable(String))",
  "Array(DateTime64(3, 'UTC'))",
  "Array(Array(Decimal(10, 2)))",
  "Map(String, UInt8)",
  "Map(UInt16, Float64)",
  "Tuple(UInt8, String)",
  "Tuple(a UInt8, b Nullable(Date))",
  "Array(Tuple(id UUID, ip IPv4))",
];

/** Every type the generator knows. */
export const TYPES: readonly string[] = [...INTS, ...DECIMALS, ...TIMES, ...OTHERS, ...NESTED];

/** JSON that fits nearly nothing, or everything by accident. */
const ANYWHERE: readonly (string | undefined)[] = [
  undefined, "null", "true", "false", "0", "1", "2", "-1", "-0", "1.0", "1.5", "1E2", "1e-2", "1e999", "-1e999", "1e-999", "300",
  "2147483648", "4294967296", "9007199254740993", "18446744073709551616", "16777217", '""', '" "', '"1"', '" 1"', '"1 "', '"+1"', '"-1"',
  '"-0"', '"007"', '"1.0"', '"1.50"', '"1e2"', '"0x10"', '"1_000"', '"1,5"', '"true"', '"null"', '"NaN"', '"nan"', '"inf"', '"Infinity"',
  '"."', '"-"', '"-."', '"1e"', '"1."', '".5"', '"\\u0031"', '"\\u0061"', '"a"', '"abc"', '"é"', '"é\'"', '"\\ud83d\\ude00"', '"\\ud800"', '"a\\udc00"',
  '"\\ud83d\\u0041"', '"\\u0000"', '"a\\"b\\\\c\\/\\n"', "[]", "[1]", "[[]]", "{}", '{"a":1}', '[1,"a"]', '"2024-02-29"', '"2023-02-29"', '"1900-02-29"', '"2000-02-29"',
  '"2024-04-31"', '"2024-13-01"', '"2024-00-10"', '"2024-1-1"', '"20240101"', '"1969-12-31"', '"1970-01-01"', '"2149-06-06"', '"2149-06-07"',
  '"1899-12-31"', '"1900-01-01"', '"2299-12-31"', '"2300-01-01"', '"0000-01-01"', '"9999-12-31"', '"1.2.3.4"', '"01.2.3.4"', '"1.2.3"', '"256.1.1.1"',
  '"::"', '"::1"', '"::ffff:1.2.3.4"', '"1:2:3:4:5:6:7:8"', '"1:2:3:4:5:6:7::"', '"::2:3:4:5:6:7:8"', '"1::2::3"', '"1:2:3:4:5:6:7:8:9"', '"fe80::1%e"', '"12345::"', '"1:2:3:4:5:6:1.2.3.4"', '"1::5:1.2.3.4"',
  '"61f0c404-5cb3-11e7-907b-a6006ad3dba0"', '"61F0C404-5CB3-11E7-907B-A6006AD3DBA0"', '"61f0c4045cb311e7907ba6006ad3dba0"', '"{61f0c404-5cb3-11e7-907b-a6006ad3dba0}"', '"61f0c404-5cb3-11e7-907b-a6006ad3dbaz"', '1700000000', '"1700000000"',
]; // biome-ignore format: a table
const TIME_TRAPS = [
  "2024-01-02T03:04:05Z", "2024-01-02 03:04:05", "2024-01-02T03:04:05", "2024-01-02T03:04:05.000Z", "2024-01-02T03:04:05.123Z", "2024-01-02T03:04:05.120000Z",
  "2024-01-02T03:04:05.1234Z", "2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.1234567891Z", "2024-01-02T03:04:05.0000000000000Z", "2024-01-02T03:04:05.Z",
  "2024-01-02T03:04:05+05:30", "2024-01-02T03:04:05-23:59", "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+0530", "2024-01-02T03:04:05+05", "2024-01-02t03:04:05z",
  "2024-01-02T24:00:00Z", "2024-01-02T23:60:00Z", "2024-01-02T23:59:60Z", "2024-02-30T00:00:00Z", "2024-01-02", "2024-01-02T03:04", "2024-01-02T03:04Z", " 2024-01-02T03:04:05Z",
  "2024-01-02T03:04:05Z ", "2024-01-02  03:04:05", "1850-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "1900-01-01T00:30:00+01:00", "1969-12-31T23:59:59.999Z",
  "1970-01-01T00:00:00Z", "1970-01-01T00:30:00+01:00", "2106-02-07T06:28:15Z", "2106-02-07T06:28:16Z", "2106-02-07T06:28:15.5Z", "2261-12-31T23:59:59.999999999Z", "2262-01-01T00:00:00Z",
  "2299-12-31T23:59:59.999Z", "2299-12-31T23:59:59-01:00", "2300-01-01T00:00:00Z", "2024-03-31 02:30:00", "2024-03-31 01:59:59", "2024-03-31 03:00:00", "2024-10-27 02:30:00",
  "2024-10-27 01:59:59", "2024-10-27 03:00:00", "2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", "2024-03-10 02:30:00", "2024-11-03 01:30:00", "2024-10-06 02:15:00", "2024-04-07 01:45:00",
  "1960-07-01 12:00:00", "1971-01-01 00:00:00", "2105-12-31 23:59:59", "2106-01-01 00:00:00", "Tue, 02 Jan 2024 03:04:05 GMT", "1704164645", "now", "\\u0032024-01-02T03:04:05Z",
]; // biome-ignore format: a table
const NESTED_TRAPS = [
  "[1,2,255]", "[256]", "[null]", "[1.0]", '["1"]', '[""]', "[true]", "[1,]", '["a",null]', '["\\ud800"]', '["\\u0061"]', '["2024-01-02T03:04:05.123Z"]', '["2024-01-02 03:04:05"]', '["2024-01-02T03:04:05.1239Z"]',
  "[[1.25],[]]", "[[1.255]]", "[[1.250]]", '{"a":1}', '{"a":1,"a":2}', '{"a":256}', '{"a":null}', '{"1":1.5}', '{"01":1}', '{"65536":1}', '{"\\u0031":1}', '[1,"x"]', '[1]', '[1,"x",2]', '{"a":1,"b":null}', '{"b":"2024-02-29","a":7}',
  '{"a":1,"b":null,"c":1}', '{"a\\u0041\\n\\"":1}', '{"":0}', '{"a":"1"}', '{"\\u0061":1,"b":null}', '{"a":1,"b":"2024-02-30"}', '[{"id":"61f0c404-5cb3-11e7-907b-a6006ad3dba0","ip":"1.2.3.4"}]', '[{"id":"x","ip":"1.2.3.4"}]', "[[[[1]]]]", `${"[".repeat(70)}${"]".repeat(70)}`,
]; // biome-ignore format: a table

/** Makes the cases of one type. */
export function valueCases(type: string, random: () => number): ValueCase[] {
  const cases: ValueCase[] = ANYWHERE.map((json) => ({ type, json }));
  if (type.includes("Date")) cases.push(...TIME_TRAPS.map((text) => ({ type, json: `"${text}"` })));
  if (NESTED.includes(type)) cases.push(...NESTED_TRAPS.map((json) => ({ type, json })));
  if (type.includes("Int")) cases.push(...intCases(type, random));
  if (type.includes("Decimal(") && !type.includes("Array")) cases.push(...decimalCases(type, random));
  if (type.includes("Float") && !type.includes("Map")) cases.push(...floatCases(type, random));
  if (type === "String") cases.push(...stringCases(type, random));
  if (type.includes("DateTime") && !type.includes("Array")) cases.push(...timeCases(type, random));
  if (type === "IPv6") cases.push(...addressCases(type, random));
  const known = cases.filter(({ json }) => json !== undefined && json.length > 1);
  for (let n = 0; n < 25; n++) {
    const { json } = known[Math.floor(random() * known.length)];
    cases.push({ type, json: mutated(json ?? "", random) });
  }
  return cases;
}

function intCases(type: string, random: () => number): ValueCase[] {
  const found = /(U?)Int(\d+)/.exec(type);
  if (
    found === null ||
    type.includes("(U") ||
    type.startsWith("Tuple") ||
    type.startsWith("Map") ||
    type.startsWith("Array")
  )
    return [];
  const span = 1n << BigInt(found[2]);
  const [min, max] = found[1] === "U" ? [0n, span - 1n] : [-span / 2n, span / 2n - 1n];
  const cases: ValueCase[] = [];
  for (const value of [min, max, min - 1n, max + 1n, min * 2n - 5n, max * 2n + 5n, span, span * 2n + 7n, 10n ** 75n]) {
    const isOk = value >= min && value <= max;
    for (const json of [`${value}`, `"${value}"`])
      cases.push({ type, json, isOk, ...(isOk && { stored: `${value}` }) });
  }
  for (let n = 0; n < 20; n++) {
    const digits = 1 + Math.floor(random() * span.toString().length);
    let value = BigInt(Array.from({ length: digits }, () => Math.floor(random() * 10)).join(""));
    if (random() < 0.4) value = -value;
    const isOk = value >= min && value <= max;
    cases.push({ type, json: random() < 0.3 ? `"${value}"` : `${value}`, isOk, ...(isOk && { stored: `${value}` }) });
    cases.push({ type, json: `${value}.0`, isOk: false }, { type, json: `${value}e0`, isOk: false });
  }
  return cases;
}

function decimalCases(type: string, random: () => number): ValueCase[] {
  const [, precision, scale] = /Decimal\((\d+), (\d+)\)/.exec(type)?.map(Number) ?? [];
  const cases: ValueCase[] = [];
  const digits = (length: number) => Array.from({ length }, () => Math.floor(random() * 10)).join("");
  for (let n = 0; n < 60; n++) {
    const whole = digits(1 + Math.floor(random() * (precision - scale + 1))).replace(/^0+(?=.)/, "");
    const fraction = digits(Math.floor(random() * (scale + 3)));
    const sign = random() < 0.3 ? "-" : "";
    const tail = random() < 0.2 ? `${random() < 0.5 ? "e" : "E"}${Math.floor(random() * 12) - 6}` : "";
    const text = `${sign}${whole}${fraction === "" ? "" : `.${fraction}`}`;
    const isOk = whole.replace(/^0/, "").length <= precision - scale && fraction.replace(/0+$/, "").length <= scale;
    const json = random() < 0.3 ? `"${text}${tail}"` : `${text}${tail}`;
    cases.push(tail === "" ? { type, json, isOk, ...(isOk && { stored: shortest(text) }) } : { type, json });
  }
  cases.push(
    { type, json: "0e5" },
    { type, json: "0e-5" },
    { type, json: "1e-99" },
    { type, json: `0.${"0".repeat(70)}` },
    { type, json: "0.000e3" },
    { type, json: "0.01e1" },
    { type, json: "-0.00000000015e10" },
    { type, json: '"0.00144160521128753548E2"' },
  );
  return cases;
}

/** A decimal text as the engine prints it: no zeros at the end, no minus zero. */
function shortest(text: string): string {
  const short = text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  return short === "-0" ? "0" : short;
}

function floatCases(type: string, random: () => number): ValueCase[] {
  const cases: ValueCase[] = [
    "3.4028235e38",
    "3.4028236e38",
    "3.5e38",
    "1.7976931348623157e308",
    "1.8e308",
    "5e-324",
    "0.1",
    "1e39",
  ].map((json) => ({ type, json }));
  for (let n = 0; n < 60; n++) {
    const value = (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20);
    cases.push({ type, json: JSON.stringify(value), isOk: true });
  }
  return cases;
}

function stringCases(type: string, random: () => number): ValueCase[] {
  const pieces = [
    "a",
    "Z9",
    "é",
    "漢",
    "😀",
    '"',
    "\\",
    "/",
    "\n",
    "\u0000",
    "\u007f",
    "\u2028",
    "'",
    "{}",
    ",",
    " ",
    "\t",
  ];
  return Array.from({ length: 80 }, () => {
    const value = Array.from(
      { length: Math.floor(random() * 6) },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join("");
    return { type, json: JSON.stringify(value), isOk: true, stored: value };
  });
}

function timeCases(type: string, random: () => number): ValueCase[] {
  const wide = type.includes("64");
  const scale = wide ? Number(/64\((\d)/.exec(type)?.[1]) : 0;
  const cases: ValueCase[] = [];
  for (let n = 0; n < 60; n++) {
    const seconds = Math.floor(wide ? -2_208_988_800 + random() * 11_000_000_000 : random() * 4_294_967_296);
    const fraction = Array.from({ length: Math.floor(random() * (scale + 1)) }, () => Math.floor(random() * 10)).join(
      "",
    );
    const minutes = random() < 0.5 ? 0 : Math.floor(random() * 1680) - 840;
    const local = new Date((seconds + minutes * 60) * 1000).toISOString().slice(0, 19);
    const offset = `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
    const dot = fraction === "" ? "" : `.${fraction}`;
    const text = `${random() < 0.3 ? local.replace("T", " ") : local}${dot}${minutes === 0 && random() < 0.8 ? "Z" : offset}`;
    const isOk = wide ? (scale < 9 ? seconds < 10_413_792_000 : seconds < 9_214_646_400) : true;
    const stored = `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")}${scale > 0 ? `.${fraction.padEnd(scale, "0")}` : ""}`;
    const isInYears = local >= "1900" && local < (scale === 9 ? "2262" : "2300");
    cases.push({ type, json: `"${text}"`, ...(isInYears && { isOk, ...(isOk && { stored }) }) });
    cases.push({ type, json: `"${local}${dot}"` });
  }
  return cases;
}

function two(value: number): string {
  return String(Math.floor(value)).padStart(2, "0");
}

function addressCases(type: string, random: () => number): ValueCase[] {
  const pieces = [":", "::", "1", "ab", "FFFF", "0", "00000", "1.2.3.4", "g"];
  return Array.from({ length: 200 }, () => {
    const text = Array.from({ length: 2 + Math.floor(random() * 14) }, (_, index) =>
      index % 2 === 0 ? pieces[2 + Math.floor(random() * (random() < 0.8 ? 4 : 7))] : pieces[random() < 0.85 ? 0 : 1],
    ).join("");
    return { type, json: `"${text}"` };
  });
}

/** The text with one character dropped, doubled or replaced. */
function mutated(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length);
  const choice = random();
  const middle =
    choice < 0.35 ? "" : choice < 0.6 ? text[at] + text[at] : '0129-+.eE:TZ "\\u[]{},nt'[Math.floor(random() * 24)];
  return (text.slice(0, at) + middle + text.slice(at + 1)).toWellFormed();
}
