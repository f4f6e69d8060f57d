import { describe, expect, test } from "bun:test";
import { readModel } from "../definition/model_definition.ts";
import { layOut } from "./layout.ts";

const draftOf = (front: string) => readModel("dwf/m.sql", `/*---\nkind: model\ndoc: M.\n${front}\n---*/\nSELECT 1`);
const columnsOf = (text: string) =>
  text.split(", ").map((one) => ({ name: one.slice(0, one.indexOf(" ")), type: one.slice(one.indexOf(" ") + 1) }));

describe("layOut()", () => {
  test.each([
    ["append", "id UInt64, t DateTime, d Date", "", ["t"], "month of t"],
    ["append", "id UInt64, s String", "", ["id"], "one partition: no column holds a time"],
    ["append", "f Float64, s String", "", ["s"], "one partition: no column holds a time"],
    ["append", "m Map(String; Int8)", "", [], "one partition: no column holds a time"],
    ["append", "id UInt64, t Nullable(DateTime)", "", ["id"], "one partition: no column holds a time"],
    ["append", "id UInt64, t DateTime", "order_by: [id, t]\npartition_by: day", ["id", "t"], "day of t"],
    ["append", "id UInt64, t DateTime", "partition_by: none", ["t"], "one partition: partition_by says so"],
    ["fold", "hour DateTime64(3), s String, k Int8", "", ["s", "k", "hour"], "month of hour"],
    ["fold", "hour DateTime, s String, k Int8", "order_by: [hour]", ["hour", "s", "k"], "month of hour"],
    ["fold", "s String, hour Date32, k Int8", "order_by: [k]", ["k", "s", "hour"], "month of hour"],
    ["fold", "e Enum8('DateTime' = 1)", "lookup: [e]", ["e"], "one partition: no column holds a time"],
    ["refresh", "s String, day Date", "", ["day"], "month of day"],
  ] as const)("%s of %s with %p", (strategy, columns, front, orderBy, partition) => {
    const layout = layOut(draftOf(front), { strategy, columns: columnsOf(columns) });
    expect(layout.orderBy).toEqual([...orderBy]);
    expect(layout.explanation[1]).toContain(partition);
  });

  test("tells age by the time column", () => {
    const layout = layOut(draftOf("ttl: 2 days"), { strategy: "append", columns: columnsOf("a Int8, t Date") });
    expect(layout.ttl).toEqual({ column: "t", ageMs: 172_800_000 });
  });
});
