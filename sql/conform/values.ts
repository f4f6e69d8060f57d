/**
 * Values: whether one JSON value is one value of one type, exactly.
 *
 * A check says why not, or undefined. `isNested` marks values inside arrays,
 * maps and tuples: those the engine reads with its own parser of the type, which
 * takes no escapes, so none are allowed there. Pure.
 *
 * @module
 */

import type { ColumnType } from "./column_type.ts";
import type { Node } from "./exact.ts";
import {
  EXPONENT_DIGITS_MAX,
  INTEGER,
  NUMBER_CHARS_MAX,
  QUOTED_INTEGER,
  QUOTED_NUMBER,
  textPattern,
} from "./grammar.ts";
import { type DateType, dateReader, type TimeType, timeReader } from "./time.ts";

/** Says why a value is not one of the type; undefined: it is. */
export type Check = (node: Node, text: string) => string | undefined;

/** Makes the check of a type. Null is for the caller, who knows what `nullable` means there. */
export function checkOf(type: ColumnType, isNested: boolean): Check {
  switch (type.kind) {
    case "int":
      return intCheck(type);
    case "float":
      return floatCheck(type);
    case "decimal":
      return decimalCheck(type);
    case "bool":
      return (node) => (isBool(node) ? undefined : "is not a Bool (true or false, 1 or 0)");
    case "array":
    case "map":
    case "tuple":
      return nestedCheck(type);
    default:
      return stringCheck(type, isNested);
  }
}

function isBool(node: Node): boolean {
  return (
    node.kind === "true" ||
    node.kind === "false" ||
    (node.kind === "number" && (node.value === "0" || node.value === "1"))
  );
}

function intCheck(type: ColumnType & { readonly kind: "int" }): Check {
  const range = `is out of range for ${type.plain} (${type.min} to ${type.max})`;
  return (node) => {
    if (node.kind === "string" ? node.isEscaped || !QUOTED_INTEGER.test(node.value) : node.kind !== "number") {
      return `is not an integer for ${type.plain}`;
    }
    if (node.kind === "number" && !INTEGER.test(node.value)) {
      return `has a fraction or an exponent, which ${type.plain} does not take`;
    }
    // The engine's own parser of UInt256, which has no wider type to be read as, takes no sign.
    if (type.max > UINT128_MAX && type.min === 0n && node.value.startsWith("-")) return range;
    if (node.value.length > NUMBER_CHARS_MAX) return range;
    if (node.value.length < 16) {
      const value = Number(node.value);
      return value >= type.min && value <= type.max ? undefined : range;
    }
    const value = BigInt(node.value.replace(/^\+/, ""));
    return value >= type.min && value <= type.max ? undefined : range;
  };
}

const UINT128_MAX = (1n << 128n) - 1n;

function floatCheck(type: ColumnType & { readonly kind: "float" }): Check {
  return (node) => {
    if (node.kind === "string" ? node.isEscaped || !QUOTED_NUMBER.test(node.value) : node.kind !== "number") {
      return `is not a number for ${type.plain}`;
    }
    const value = type.bits === 32 ? Math.fround(Number(node.value)) : Number(node.value);
    return Number.isFinite(value) ? undefined : `is out of range for ${type.plain}`;
  };
}

function decimalCheck(type: ColumnType & { readonly kind: "decimal" }): Check {
  const wholeMax = type.precision - type.scale;
  return (node) => {
    if (node.kind === "string" ? node.isEscaped || !QUOTED_NUMBER.test(node.value) : node.kind !== "number") {
      return `is not a number for ${type.plain}`;
    }
    if (node.value.length > NUMBER_CHARS_MAX) return `has more than ${NUMBER_CHARS_MAX} characters`;
    const [, whole = "", fraction = "", sign, exponent = "0"] =
      /^[+-]?([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)([0-9]+))?$/.exec(node.value) ?? [];
    if (exponent.length > EXPONENT_DIGITS_MAX) return `has an exponent of more than ${EXPONENT_DIGITS_MAX} digits`;
    const shift = (sign === "-" ? -1 : 1) * Number(exponent);
    const power = shift - fraction.length;
    const digits = (whole + fraction).replace(/^0+/, "");
    const significant = digits.replace(/0+$/, "");
    // The engine counts the zeros behind the point before it shifts the point.
    if (/^0*$/.test(whole) && shift > wholeMax)
      return `is written with an exponent of more than ${wholeMax} behind a zero`;
    if (significant === "") return undefined;
    const last = power + digits.length - significant.length;
    if (-last > type.scale) return `has more than ${type.scale} digits after the point, which ${type.plain} would drop`;
    if (digits.length + power > wholeMax)
      return `has more than ${wholeMax} digits before the point, too many for ${type.plain}`;
    return undefined;
  };
}

function stringCheck(type: ColumnType, isNested: boolean): Check {
  const value = stringValue(type);
  const isRead = isNested && type.kind !== "string" && type.kind !== "fixed" && type.kind !== "enum";
  return (node) => {
    if (node.kind !== "string") return `is not a string, which ${type.plain} needs`;
    if (node.isBroken) return "has half of a surrogate pair";
    if (isRead && node.isEscaped) return "has an escape";
    return value(node.value);
  };
}

/** Checks what stands in the quotes. */
function stringValue(type: ColumnType): (value: string) => string | undefined {
  switch (type.kind) {
    case "string":
      return () => undefined;
    case "fixed": {
      const bytes = new TextEncoder();
      return (value) => {
        const { length } = bytes.encode(value);
        return length === type.bytes ? undefined : `has ${length} bytes, ${type.plain} exactly ${type.bytes}`;
      };
    }
    case "enum": {
      const names = new Set(type.names);
      return (value) => (names.has(value) ? undefined : `is none of ${type.names.slice(0, 10).join(", ")}`);
    }
    case "date":
    case "time": {
      const read = type.kind === "date" ? dateReader(type as DateType) : timeReader(type as TimeType);
      return (value) => {
        const reading = read(value);
        return "reason" in reading ? reading.reason : undefined;
      };
    }
    default: {
      const pattern = new RegExp(textPattern(type) ?? "");
      return (value) => (pattern.test(value) ? undefined : `is not a ${type.plain}`);
    }
  }
}

function nestedCheck(type: ColumnType): Check {
  if (type.kind === "array") {
    const item = innerCheck(type.of);
    return (node, text) =>
      node.kind === "array"
        ? firstProblem(node.items, (inner) => item(inner, text))
        : `is not an array for ${type.plain}`;
  }
  if (type.kind === "map") return mapCheck(type);
  if (type.kind !== "tuple") return () => undefined;
  const items = type.items.map(innerCheck);
  const names = type.names;
  if (names === undefined) {
    return (node, text) =>
      node.kind === "array" && node.items.length === items.length
        ? firstProblem(node.items, (inner, index) => items[index](inner, text))
        : `is not an array of ${items.length} for ${type.plain}`;
  }
  return (node, text) => {
    if (node.kind !== "object" || node.fields.length !== names.length) return `is not an object of ${names.join(", ")}`;
    for (let index = 0; index < names.length; index++) {
      // The engine compares the names of a tuple's fields byte for byte, escapes and all.
      const field = node.fields.find(({ start }) => text.startsWith(`"${names[index]}"`, start));
      if (field === undefined) return `has no field ${names[index]}`;
      const problem = items[index](field.node, text);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function mapCheck(type: ColumnType & { readonly kind: "map" }): Check {
  const value = innerCheck(type.value);
  const { key } = type;
  return (node, text) => {
    if (node.kind !== "object") return `is not an object for ${type.plain}`;
    const names = new Set<string>();
    for (const field of node.fields) {
      if (names.has(field.name)) return `repeats the key ${field.name.slice(0, 50)}`;
      names.add(field.name);
      if (!field.name.isWellFormed()) return "has a key with half of a surrogate pair";
      if (key.kind === "int" && !isKey(field.name, key, text[field.start + 1]))
        return `has a key that is not ${key.plain}`;
      const problem = value(field.node, text);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function isKey(name: string, type: ColumnType & { readonly kind: "int" }, firstChar: string): boolean {
  if (!INTEGER.test(name) || name === "-0" || firstChar !== name[0]) return false;
  const value = BigInt(name);
  return value >= type.min && value <= type.max;
}

function innerCheck(type: ColumnType): Check {
  const check = checkOf(type, true);
  return (node, text) => {
    if (node.kind === "null") return type.nullable ? undefined : `has a null where ${type.text} is needed`;
    const problem = check(node, text);
    return problem === undefined ? undefined : `has ${text.slice(node.start, node.end).slice(0, 100)} which ${problem}`;
  };
}

function firstProblem(
  nodes: readonly Node[],
  check: (node: Node, index: number) => string | undefined,
): string | undefined {
  for (let index = 0; index < nodes.length; index++) {
    const problem = check(nodes[index], index);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
