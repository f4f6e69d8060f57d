/**
 * Layout: sort key, partition key, age limit and Bloom filters of a model's physical table.
 *
 * Dashboards filter by entity and read by time, so a fold sorts by its other
 * keys first and by time last; rows that are appended sort by time.
 *
 * @module
 */
import { type ModelDraft, optionError } from "../definition/model_definition.ts";
import type { Model, Strategy, TypedColumn } from "./model.ts";

/** How a table lies on disk. */
export type Layout = Pick<Model, "orderBy" | "partitionBy" | "ttl" | "lookup"> & {
  readonly explanation: readonly string[];
};

const TIME_TYPE = /^(DateTime|DateTime64|Date|Date32)\b/;
const UNSORTABLE = /\b(Map|JSON|Object|Dynamic|Variant|AggregateFunction|Tuple|Array)\b|Float/;
const UNFILTERABLE = /\b(Decimal|Tuple|JSON|Object|Dynamic|Variant|AggregateFunction|Bool)\b|^U?Int(128|256)/;

/** Lays a table out. `columns` are those that may be sorted by: the group keys of a fold, else every column. */
export function layOut(
  draft: ModelDraft,
  is: { readonly strategy: Strategy; readonly columns: readonly TypedColumn[] },
): Layout {
  const { options } = draft;
  const { columns, strategy } = is;
  const what = strategy === "fold" ? "group keys" : "columns";
  const check = (option: "order_by" | "lookup", allowed: (type: string) => boolean) => {
    for (const name of options[option] ?? []) {
      const column = columns.find((one) => one.name === name);
      const names = columns.map((one) => one.name).join(", ");
      const at = [option];
      if (column === undefined)
        throw optionError(draft, at, {
          problem: `${option} names '${name}', which is not among its ${what}`,
          hint: names === "" ? "Remove it." : `Name some of: ${names}.`,
        });
      if (!allowed(withoutNames(column.type)))
        throw optionError(draft, at, {
          problem: `${option} names '${name}', whose type is ${column.type}`,
          hint: "Name another column.",
        });
    }
  };
  check("order_by", (type) => !UNSORTABLE.test(type));
  check("lookup", (type) => !UNFILTERABLE.test(type));
  const time = columns.find((column) => TIME_TYPE.test(column.type));
  const sort = sortKey(draft, { ...is, time });
  const partition = partitionKey(draft, time);
  return {
    orderBy: sort.columns,
    partitionBy: partition.by,
    ttl: ageLimit(draft, time),
    lookup: options.lookup ?? [],
    explanation: [sort.why, partition.why],
  };
}

function sortKey(
  { options }: ModelDraft,
  is: { strategy: Strategy; columns: readonly TypedColumn[]; time: TypedColumn | undefined },
): { columns: readonly string[]; why: string } {
  const { strategy, columns, time } = is;
  const asked = options.order_by ?? [];
  const say = (names: readonly string[], why: string) => ({
    columns: names,
    why: `sorted by ${names.length === 0 ? "nothing" : names.join(", ")}: ${why}`,
  });
  if (strategy !== "fold") {
    if (asked.length > 0) return say(asked, "order_by says so");
    if (time !== undefined) return say([time.name], "the first column that holds a time");
    const first = columns.find((column) => !UNSORTABLE.test(withoutNames(column.type)));
    return first === undefined ? say([], "no column can be sorted by") : say([first.name], "the first column");
  }
  const rest = columns.map((column) => column.name).filter((name) => !asked.includes(name) && name !== time?.name);
  const last = time === undefined || asked.includes(time.name) ? [] : [time.name];
  const names = [...asked, ...rest, ...last];
  if (asked.length > 0) return say(names, "order_by first, then the other group keys, which make a row unique");
  if (time === undefined) return say(names, names.length === 0 ? "there is one group" : "the group keys");
  return say(names, "the group keys, time last, because readers filter by the others and read by time");
}

function partitionKey(draft: ModelDraft, time: TypedColumn | undefined): { by: Model["partitionBy"]; why: string } {
  const asked = draft.options.partition_by;
  if (asked === "none") return { by: undefined, why: "one partition: partition_by says so" };
  if (time !== undefined)
    return {
      by: { column: time.name, by: asked ?? "month" },
      why: `partitioned by ${asked ?? "month"} of ${time.name}`,
    };
  if (asked === undefined) return { by: undefined, why: "one partition: no column holds a time" };
  const hint = "Select a Date or DateTime that is not Nullable; a fold must group by it.";
  throw optionError(draft, ["partition_by"], { problem: `it has no time to partition by ${asked}`, hint });
}

function ageLimit(draft: ModelDraft, time: TypedColumn | undefined): Model["ttl"] {
  const ageMs = draft.options.ttl;
  if (ageMs === undefined) return undefined;
  if (time !== undefined) return { column: time.name, ageMs };
  const hint = "Select a Date or DateTime that is not Nullable; a fold must group by it.";
  throw optionError(draft, ["ttl"], { problem: "it has no time to tell a row's age by", hint });
}

/** A type without the values of its Enums, which may be called anything. */
const withoutNames = (type: string) => type.replaceAll(/'(?:[^'\\]|\\.)*'/g, "''");
