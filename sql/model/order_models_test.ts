import { describe, expect, test } from "bun:test";
import { readModel } from "../definition/model_definition.ts";
import { orderModels } from "./order_models.ts";

const draft = (name: string, ...reads: string[]) =>
  readModel(
    `${name.replace(".", "/")}.sql`,
    `/*---\nkind: model\ndoc: M.\n---*/\nSELECT a FROM ${reads.join(" JOIN ")}`,
  );
const names = (drafts: ReturnType<typeof orderModels>) => drafts.map(({ layer, name }) => `${layer}.${name}`);

describe("orderModels()", () => {
  test("puts each after what it reads, and else leaves the order", () => {
    const drafts = [
      draft("dwa.c", "dws.b", "dwf.a"),
      draft("dws.b", "dwf.a"),
      draft("dwf.z", "ods.x"),
      draft("dwf.a", "ods.x"),
    ];
    expect(names(orderModels(drafts))).toEqual(["dwf.a", "dws.b", "dwa.c", "dwf.z"]);
  });

  test("names a circle", () => {
    const drafts = [draft("dwf.a", "dwf.c"), draft("dwf.b", "dwf.a"), draft("dwf.c", "dwf.b")];
    expect(() => orderModels(drafts)).toThrow(
      "dwf/b.sql:5:15: Cannot use this model: models read one another in a circle: dwf.a reads dwf.c reads dwf.b reads dwf.a. Make one of them read what the other is made of.",
    );
    expect(() => orderModels([draft("dwf.a", "dwf.a")])).toThrow("it reads itself");
  });
});
