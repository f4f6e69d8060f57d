/**
 * Column types: the engine's spelling of a type, read into a tree.
 *
 *   Column.type ──readType()──▶ ColumnType ──▶ projection · judge · scanner
 *
 * Only types whose JSON form has one exact meaning are read; for every other
 * the error says what to write instead.
 *
 * @module
 */

import { isZoneReadable } from "./zones.ts";

/** One type without its wrappers. */
export type Shape =
  | { readonly kind: "int"; readonly bits: number; readonly min: bigint; readonly max: bigint }
  | { readonly kind: "float"; readonly bits: 32 | 64 }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "bool" | "string" | "uuid" | "ipv4" | "ipv6" }
  | { readonly kind: "fixed"; readonly bytes: number }
  | { readonly kind: "date"; readonly wide: boolean }
  | { readonly kind: "time"; readonly wide: boolean; readonly scale: number; readonly zone: string }
  | { readonly kind: "enum"; readonly names: readonly string[] }
  | { readonly kind: "array"; readonly of: ColumnType }
  | { readonly kind: "map"; readonly key: ColumnType; readonly value: ColumnType }
  | { readonly kind: "tuple"; readonly names: readonly string[] | undefined; readonly items: readonly ColumnType[] };

/** A type as a column has it. */
export type ColumnType = Shape & {
  /** The engine's spelling, wrappers included. */
  readonly text: string;
  /** The engine's spelling without `Nullable` and `LowCardinality`. */
  readonly plain: string;
  /** Null and missing are allowed. */
  readonly nullable: boolean;
};

/** A type that `conform()` cannot judge exactly; the message says what to use. */
export class TypeRefused extends Error {}

const DEPTH_MAX = 8;

const INSTEAD: Readonly<Record<string, string>> = {
  JSON: "String, or declare its fields as columns",
  Object: "String, or declare its fields as columns",
  Dynamic: "the one type that the values have",
  Variant: "the one type that the values have",
  Nested: "Array(Tuple(...))",
  SimpleAggregateFunction: "the plain type, and aggregate in a model",
  AggregateFunction: "the plain type, and aggregate in a model",
  Point: "Tuple(Float64, Float64)",
  BFloat16: "Float32",
  Time: "UInt32 (seconds)",
  Time64: "Decimal(18, 3) (seconds)",
  Nothing: "the type that the values have",
};

const REFUSED_ELSE =
  "an integer, Float, Decimal, Bool, String, Date, DateTime, UUID, IPv4, IPv6, Enum, Array, Map or Tuple";

/** Reads the engine's spelling of a type; throws TypeRefused. */
export function readType(text: string): ColumnType {
  const reader = new TypeReader(text);
  const type = reader.type(0);
  reader.end();
  return type;
}

class TypeReader {
  #at = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  type(depth: number): ColumnType {
    if (depth > DEPTH_MAX) throw new TypeRefused(`at most ${DEPTH_MAX} types inside each other`);
    const start = this.#space();
    const name = this.#word();
    if (name === "Nullable" || name === "LowCardinality") {
      this.#expect("(");
      const inner = this.type(depth + 1);
      this.#expect(")");
      if (name === "Nullable" && (inner.kind === "array" || inner.kind === "map" || inner.kind === "tuple")) {
        throw new TypeRefused(`${inner.plain} without Nullable`);
      }
      const nullable = name === "Nullable" || inner.nullable;
      return { ...inner, nullable, text: this.text.slice(start, this.#at) };
    }
    const shape = this.#shape(name, depth);
    const spelling = this.text.slice(start, this.#at);
    return { ...shape, text: spelling, plain: spelling, nullable: false };
  }

  end(): void {
    this.#space();
    if (this.#at < this.text.length) throw new TypeRefused(REFUSED_ELSE);
  }

  #shape(name: string, depth: number): Shape {
    const int = /^(U?)Int(8|16|32|64|128|256)$/.exec(name);
    if (int !== null) return intShape(Number(int[2]), int[1] === "");
    if (name === "Float32" || name === "Float64") return { kind: "float", bits: name === "Float32" ? 32 : 64 };
    if (name === "Bool") return { kind: "bool" };
    if (name === "String") return { kind: "string" };
    if (name === "UUID") return { kind: "uuid" };
    if (name === "IPv4") return { kind: "ipv4" };
    if (name === "IPv6") return { kind: "ipv6" };
    if (name === "FixedString") return { kind: "fixed", bytes: this.#numbers()[0] };
    if (name === "Date" || name === "Date32") return { kind: "date", wide: name === "Date32" };
    if (name === "DateTime" || name === "DateTime64") return this.#time(name === "DateTime64");
    if (name.startsWith("Decimal")) return this.#decimal(name);
    if (name === "Enum8" || name === "Enum16" || name === "Enum") return { kind: "enum", names: this.#enumNames() };
    if (name === "Array") return { kind: "array", of: this.#types(depth)[0] };
    if (name === "Map") return this.#map(depth);
    if (name === "Tuple") return this.#tuple(depth);
    throw new TypeRefused(INSTEAD[name] ?? REFUSED_ELSE);
  }

  #time(wide: boolean): Shape {
    let scale = wide ? 3 : 0;
    let zone = "UTC";
    if (this.#accept("(")) {
      if (this.#peek() !== "'") {
        scale = this.#number();
        if (this.#accept(",")) zone = this.#quoted();
      } else zone = this.#quoted();
      this.#expect(")");
    }
    if (!isZoneReadable(zone)) throw new TypeRefused(`the zone UTC or one that exists and never dropped a day`);
    if (scale > 9) throw new TypeRefused("a scale of 0 to 9");
    return { kind: "time", wide, scale, zone };
  }

  #decimal(name: string): Shape {
    const fixed = { Decimal32: 9, Decimal64: 18, Decimal128: 38, Decimal256: 76 }[name];
    const numbers = this.#numbers();
    const precision = fixed ?? numbers[0];
    const scale = (fixed === undefined ? numbers[1] : numbers[0]) ?? 0;
    return { kind: "decimal", precision, scale };
  }

  #map(depth: number): Shape {
    const [key, value] = this.#types(depth);
    if (key.nullable || (key.kind !== "string" && key.kind !== "int")) {
      throw new TypeRefused("a Map with String or integer keys");
    }
    return { kind: "map", key, value };
  }

  #tuple(depth: number): Shape {
    this.#expect("(");
    const names: string[] = [];
    const items: ColumnType[] = [];
    do {
      const name = this.#elementName();
      if (name !== undefined) names.push(name);
      items.push(this.type(depth + 1));
    } while (this.#accept(","));
    this.#expect(")");
    return { kind: "tuple", names: names.length === items.length ? names : undefined, items };
  }

  /** The name before a tuple element's type, if there is one. */
  #elementName(): string | undefined {
    this.#space();
    const match = /(?:`((?:[^`\\]|\\.)*)`|([A-Za-z_]\w*))\s+(?=[A-Z])/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.text);
    if (found === null) return undefined;
    this.#at = match.lastIndex;
    return found[2] ?? unescaped(found[1]);
  }

  #enumNames(): string[] {
    this.#expect("(");
    const names: string[] = [];
    do {
      names.push(this.#quoted());
      if (this.#accept("=")) this.#number();
    } while (this.#accept(","));
    this.#expect(")");
    return names;
  }

  #types(depth: number): ColumnType[] {
    this.#expect("(");
    const types: ColumnType[] = [];
    do types.push(this.type(depth + 1));
    while (this.#accept(","));
    this.#expect(")");
    return types;
  }

  #numbers(): number[] {
    this.#expect("(");
    const numbers: number[] = [];
    do numbers.push(this.#number());
    while (this.#accept(","));
    this.#expect(")");
    return numbers;
  }

  #number(): number {
    this.#space();
    const match = /-?\d+/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.text);
    if (found === null) throw new TypeRefused(REFUSED_ELSE);
    this.#at = match.lastIndex;
    return Number(found[0]);
  }

  #quoted(): string {
    this.#space();
    const match = /'((?:[^'\\]|\\.|'')*)'/sy;
    match.lastIndex = this.#at;
    const found = match.exec(this.text);
    if (found === null) throw new TypeRefused(REFUSED_ELSE);
    this.#at = match.lastIndex;
    return unescaped(found[1].replaceAll("''", "'"));
  }

  #word(): string {
    const match = /\w+/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.text);
    if (found === null) throw new TypeRefused(REFUSED_ELSE);
    this.#at = match.lastIndex;
    return found[0];
  }

  #space(): number {
    while (/\s/.test(this.text[this.#at] ?? "")) this.#at++;
    return this.#at;
  }

  #peek(): string | undefined {
    this.#space();
    return this.text[this.#at];
  }

  #accept(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) throw new TypeRefused(REFUSED_ELSE);
  }
}

function intShape(bits: number, signed: boolean): Shape {
  const span = 1n << BigInt(bits);
  return { kind: "int", bits, min: signed ? -span / 2n : 0n, max: signed ? span / 2n - 1n : span - 1n };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "0": "\0" };

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
}
