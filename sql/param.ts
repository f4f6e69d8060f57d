/**
 * Parameters of an API: the types that they may have, and what a text sent for one means.
 *
 *   `{limit:UInt32}` ──readParamType──▶ ParamType ──checkParam(texts)──▶ the engine's text, or why not
 *
 * Pure. Texts are checked exactly as strict ingest checks them; 64-bit and wider
 * integers and Decimals never pass through a float. Times go to the engine as
 * Unix seconds, so no zone of any session can move them.
 *
 * @module
 */
import { type ColumnType, readType, TypeRefused } from "./conform/column_type.ts";
import { dateReader, timeReader } from "./conform/time.ts";

/** A type that a parameter can have: a plain one, or an Array of plain ones. */
export type ParamType = ColumnType;

/** What a client sends for a parameter: every text that stood behind its name. */
export type ParamTexts = readonly string[];

/** The parameter as the engine reads it (`null`: no value), or what is wrong with it, to be put behind its name. */
export type CheckedParam =
  | { readonly ok: true; readonly value: string | null }
  | { readonly ok: false; readonly reason: string };

/** What a value must keep beside its type. */
export interface ParamBounds {
  readonly min?: string | undefined;
  readonly max?: string | undefined;
  readonly values?: readonly string[] | undefined;
}

/** Bounds of what is sent for one parameter. */
export const PARAM_LIMITS = { charsMax: 65_536, itemsMax: 10_000 } as const;

const PLAIN = "an integer, Float, Decimal, Bool, String, Date, DateTime, UUID or Enum, or an Array of these";
const ORDERED: ReadonlySet<string> = new Set(["int", "float", "decimal", "date", "time"]);
const REFUSED: ReadonlySet<string> = new Set(["map", "tuple", "ipv4", "ipv6"]);

/** Reads the type of a parameter as the author wrote it; throws TypeRefused with what to write instead. */
export function readParamType(text: string): ParamType {
  const type = readType(text);
  const item = type.kind === "array" ? type.of : type;
  if (item.kind === "array" || REFUSED.has(item.kind)) throw new TypeRefused(PLAIN);
  return type;
}

/** Whether values of the type have an order that `min` and `max` can speak of; of an Array, its elements'. */
export function isOrdered(type: ParamType): boolean {
  return ORDERED.has(type.kind === "array" ? type.of.kind : type.kind);
}

/** A plain value: the engine's text, and what it is compared by. */
interface Plain {
  readonly text: string;
  readonly order: bigint | number | string;
}

/** Checks what was sent for one parameter. */
export function checkParam(type: ParamType, texts: ParamTexts, bounds: ParamBounds = {}): CheckedParam {
  const tooLong = texts.reduce((sum, { length }) => sum + length, 0) > PARAM_LIMITS.charsMax;
  if (tooLong) return wrong(`is longer than ${PARAM_LIMITS.charsMax} characters`);
  if (type.kind === "array") return checkArray(type.of, texts, bounds);
  if (texts.length !== 1) return wrong("is sent more than once");
  const plain = checkPlain(type, texts[0]!, bounds);
  return typeof plain === "string" ? wrong(plain) : { ok: true, value: plain.text };
}

/** What to send for a parameter, to be put behind "Send". */
export function expectation(type: ParamType, bounds: ParamBounds = {}): string {
  if (type.kind === "array") {
    return `${expectation(type.of, bounds)}, once for each element, or all as a JSON array`;
  }
  if (bounds.values !== undefined) return `one of: ${bounds.values.slice(0, 50).join(", ")}`;
  return `${KINDS[type.kind]?.(type) ?? "a text"}${rangeOf(type, bounds)}`;
}

const KINDS: Readonly<Record<string, (type: ParamType) => string>> = {
  int: () => "a whole number",
  float: () => "a number such as 1.5",
  decimal: (type) =>
    type.kind === "decimal" ? `a number with at most ${type.scale} digits after the point` : "a number",
  bool: () => "true or false",
  string: () => "a text",
  fixed: (type) => (type.kind === "fixed" ? `a text of at most ${type.bytes} bytes` : "a text"),
  uuid: () => "a UUID such as 61f0c404-5cb3-11e7-907b-a6006ad3dba0",
  date: () => "a day such as 2026-01-31",
  time: () => "a time such as 2026-01-31T10:20:30Z (write + as %2B)",
  enum: (type) => (type.kind === "enum" ? `one of: ${type.names.slice(0, 50).join(", ")}` : "a name"),
};

function rangeOf(type: ParamType, { min, max }: ParamBounds): string {
  const lowest = min ?? (type.kind === "int" ? String(type.min) : undefined);
  const highest = max ?? (type.kind === "int" ? String(type.max) : undefined);
  if (lowest !== undefined && highest !== undefined) return ` from ${lowest} to ${highest}`;
  if (lowest !== undefined) return ` of at least ${lowest}`;
  return highest === undefined ? "" : ` of at most ${highest}`;
}

function wrong(reason: string): CheckedParam {
  return { ok: false, reason };
}

function checkPlain(type: ParamType, text: string, { min, max, values }: ParamBounds): Plain | string {
  const plain = readPlain(type, text);
  if (typeof plain === "string") return plain;
  const orderOf = (bound: string) => (readPlain(type, bound) as Plain).order;
  if (values?.some((value) => orderOf(value) === plain.order) === false) return "is not one of the allowed values";
  if (min !== undefined && plain.order < orderOf(min)) return `is below ${min}`;
  if (max !== undefined && plain.order > orderOf(max)) return `is above ${max}`;
  return plain;
}

/** Elements come one by one (`?id=1&id=2`), or as one JSON array. */
function checkArray(item: ColumnType, texts: ParamTexts, bounds: ParamBounds): CheckedParam {
  const elements = texts.length === 1 && texts[0]!.trimStart().startsWith("[") ? jsonTexts(texts[0]!) : texts;
  if (elements === undefined) return wrong("is not a JSON array of plain values");
  if (elements.length > PARAM_LIMITS.itemsMax) return wrong(`has more than ${PARAM_LIMITS.itemsMax} elements`);
  const literals: string[] = [];
  for (const [index, element] of elements.entries()) {
    if (element === null) {
      if (!item.nullable) return wrong(`has null as element ${index}`);
      literals.push("NULL");
      continue;
    }
    const plain = checkPlain(item, element, bounds);
    if (typeof plain === "string") return wrong(`has an element ${index} that ${plain}`);
    literals.push(BARE.has(item.kind) ? plain.text : quoted(plain.text));
  }
  return { ok: true, value: `[${literals.join(",")}]` };
}

const BARE: ReadonlySet<string> = new Set(["int", "float", "decimal", "bool"]);

/** The elements of a JSON array as texts, numbers digit by digit; undefined if it is none. */
function jsonTexts(text: string): readonly (string | null)[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text, (_key: string, value: unknown, context?: { readonly source?: string }) =>
      typeof value === "number" || typeof value === "boolean" ? (context?.source ?? String(value)) : value,
    );
    if (!Array.isArray(parsed)) return undefined;
    return parsed.every((element) => element === null || typeof element === "string") ? parsed : undefined;
  } catch {
    // The parser throws for one reason only: it is no JSON.
    return undefined;
  }
}

function quoted(text: string): string {
  const names: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0" };
  return `'${text.replace(/[\\']/g, "\\$&").replace(/[\n\t\r\0]/g, (mark) => names[mark]!)}'`;
}

function readPlain(type: ColumnType, text: string): Plain | string {
  switch (type.kind) {
    case "int":
      return readInteger(type, text);
    case "float":
      return readFloat(type, text);
    case "decimal":
      return readDecimal(type, text);
    case "bool":
      return readBool(text);
    case "uuid":
      if (!UUID.test(text)) return "is not a UUID";
      return { text: text.toLowerCase(), order: text.toLowerCase() };
    case "enum":
      return type.names.includes(text) ? { text, order: text } : "is not one of the allowed values";
    case "date": {
      const day = dateReader(type)(text);
      return "reason" in day ? day.reason : { text, order: day.ms };
    }
    case "time":
      return readTime(type, text);
    case "fixed":
      return Buffer.byteLength(text) > type.bytes ? `has more than ${type.bytes} bytes` : { text, order: text };
    default:
      return { text, order: text };
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const INTEGER = /^-?\d{1,80}$/;
const NUMBER = /^-?\d{1,400}(?:\.\d{1,400})?(?:e[+-]?\d{1,3})?$/i;
const DECIMAL = /^(-?)(\d{1,80})(?:\.(\d{1,80}))?$/;

function readInteger({ min, max, plain }: ColumnType & { readonly kind: "int" }, text: string): Plain | string {
  if (!INTEGER.test(text)) return "is not a whole number";
  const value = BigInt(text);
  if (value < min || value > max) return `is out of range for ${plain}`;
  return { text: String(value), order: value };
}

function readFloat({ bits, plain }: ColumnType & { readonly kind: "float" }, text: string): Plain | string {
  if (!NUMBER.test(text)) return "is not a number";
  const value = Number(text);
  const kept = bits === 32 ? Math.fround(value) : value;
  return Number.isFinite(kept) ? { text: String(value), order: value } : `is out of range for ${plain}`;
}

/** Exact: digits are counted, never rounded. */
function readDecimal(
  { precision, scale, plain }: ColumnType & { readonly kind: "decimal" },
  text: string,
): Plain | string {
  const match = DECIMAL.exec(text);
  if (match === null) return "is not a number";
  const fraction = (match[3] ?? "").replace(/0+$/, "");
  if (fraction.length > scale) return `has more than ${scale} digits after the point`;
  const digits = BigInt(`${match[2]}${fraction.padEnd(scale, "0")}`);
  if (digits >= 10n ** BigInt(precision)) return `is out of range for ${plain}`;
  const order = match[1] === "-" ? -digits : digits;
  const padded = String(digits).padStart(scale + 1, "0");
  const point = padded.length - scale;
  const shown = scale === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`;
  return { text: order < 0n ? `-${shown}` : shown, order };
}

function readBool(text: string): Plain | string {
  if (text === "true" || text === "1") return { text: "true", order: 1 };
  if (text === "false" || text === "0") return { text: "false", order: 0 };
  return "is neither true nor false";
}

const TICKS_PER_SECOND = 1_000_000_000n;

/** Unix seconds with every digit that was sent: the engine reads them alike in every zone. */
function readTime(type: ColumnType & { readonly kind: "time" }, text: string): Plain | string {
  const reading = timeReader(type)(text);
  if ("reason" in reading) return reading.reason;
  const fraction = (/\.(\d+)/.exec(text)?.[1] ?? "").slice(0, type.scale);
  const seconds = BigInt(Math.floor(reading.ms / 1_000));
  const order = seconds * TICKS_PER_SECOND + BigInt(fraction.padEnd(9, "0"));
  const sign = order < 0n ? "-" : "";
  const ticks = order < 0n ? -order : order;
  const whole = String(ticks / TICKS_PER_SECOND).padStart(10, "0");
  const rest = String(ticks % TICKS_PER_SECOND).padStart(9, "0");
  return { text: `${sign}${whole}${type.scale > 0 ? `.${rest.slice(0, type.scale)}` : ""}`, order };
}
