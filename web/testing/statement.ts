/**
 * A statement with values in it: what stands between the backticks of `sql` becomes text and typed parameters.
 *
 *   sql`… WHERE day = ${day}` ──bound──▶ "… WHERE day = {value_1:String}" · param_value_1
 *
 * Values travel beside the text and can never become SQL. Pure.
 *
 * @module
 */

/** What can stand in a statement: lists become Arrays, a Date becomes a DateTime64(3, 'UTC'). */
export type SqlValue = string | number | bigint | boolean | Date | readonly SqlScalar[];
type SqlScalar = string | number | bigint | boolean | Date;

/** A statement's text and the values of its `{name:Type}`. */
export interface BoundStatement {
  readonly text: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Binds the values of a template. */
export function bound(parts: readonly string[], values: readonly SqlValue[]): BoundStatement {
  const params: Record<string, string> = {};
  let text = parts[0] ?? "";
  for (const [index, value] of values.entries()) {
    const name = `value_${index + 1}`;
    params[name] = textOf(value);
    text += `{${name}:${typeOf(value)}}${parts[index + 1]}`;
  }
  return { text, params };
}

/** The text of a value as a request carries it; of a list, the literal of an Array. */
export function textOf(value: SqlValue): string {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(", ")}]`;
  return value instanceof Date ? value.toISOString().replace("T", " ").replace("Z", "") : String(value);
}

function literalOf(value: SqlScalar): string {
  if (typeof value !== "string" && !(value instanceof Date)) return String(value);
  return `'${textOf(value).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function typeOf(value: SqlValue): string {
  if (Array.isArray(value))
    return `Array(${value.length === 0 ? "String" : commonTypeOf(value as readonly SqlScalar[])})`;
  if (value instanceof Date) return "DateTime64(3, 'UTC')";
  if (typeof value === "number") return Number.isInteger(value) ? "Int64" : "Float64";
  if (typeof value === "bigint") return "Int256";
  return typeof value === "boolean" ? "Bool" : "String";
}

/** The type that holds every element: an Array of 1 and 1.5 is one of Float64. */
function commonTypeOf(values: readonly SqlScalar[]): string {
  const types = new Set(values.map(typeOf));
  if (types.size === 1) return [...types][0]!;
  const areNumbers = [...types].every((type) => type === "Int64" || type === "Float64");
  if (areNumbers) return "Float64";
  throw new TypeError(`Cannot bind a list of ${[...types].join(" and ")}: use values of one type.`);
}
