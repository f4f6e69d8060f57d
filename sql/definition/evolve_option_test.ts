/**
 * `drift: evolve` and `leave_out`: what is read, and what every mistake is answered with.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { DefinitionError } from "./error.ts";
import { definitionSchemas } from "./schema.ts";
import { finishSource, readSource } from "./source_definition.ts";

function sourceOf(options: string) {
  const text = `/*---\nkind: source\ndoc: Sales.\n${options}\n---*/\nCREATE TABLE ods.sale (id String)`;
  const draft = readSource("ods/sale.sql", text);
  return finishSource(draft, draft.table.columns);
}

function wrong(options: string): string {
  try {
    sourceOf(options);
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return `${error.line}:${error.column} ${error.problem} → ${error.hint}`;
  }
  return "nothing";
}

describe("drift: evolve", () => {
  test("is read with the fields that it leaves out", () => {
    expect(sourceOf("drift: evolve")).toMatchObject({ drift: "evolve", unknown: "reject", leaveOut: undefined });
    expect(sourceOf("drift: evolve\nleave_out: [card, Tax]\nformat: debezium").leaveOut).toEqual(["card", "Tax"]);
    expect(sourceOf("drift: evolve\nformat: { kind: avro, schemas: registry }").drift).toBe("evolve");
  });

  test.each([
    [
      "with unknown fields that are kept",
      "unknown: keep\ndrift: evolve",
      "5:1 Cannot use drift: evolve with unknown: keep: fields which no column declares would never be refused, so no column would ever be added. → Leave `unknown` out, or say `drift: quarantine`.",
    ],
    [
      "with unknown fields that are ignored",
      "drift: evolve\nunknown: ignore",
      "4:1 Cannot use drift: evolve with unknown: ignore: fields which no column declares would never be refused, so no column would ever be added. → Leave `unknown` out, or say `drift: quarantine`.",
    ],
    [
      "with lines without a head",
      "format: csv\ndrift: evolve",
      "5:1 Cannot use drift: evolve with records of csv: they do not name their fields, the definition does. → Say `drift: quarantine`; a new field is declared with its format and applied.",
    ],
    [
      "with a schema in the definition",
      "format: { kind: avro, schema: '{}' }\ndrift: evolve",
      "5:1 Cannot use drift: evolve with records of avro: they do not name their fields, the definition does. → Say `drift: quarantine`; a new field is declared with its format and applied.",
    ],
    [
      "of a column that is left out",
      "drift: evolve\nleave_out: [id]",
      "5:1 Cannot leave out 'id': a column is named so. → Take it out of leave_out, or drop the column.",
    ],
    [
      "that is not said",
      "leave_out: [card]",
      "4:1 Cannot use leave_out here: no field is added where drift is not evolve. → Leave it out, or say `drift: evolve`.",
    ],
  ])("is refused %s", (_, options, expected) => {
    expect(wrong(options)).toBe(expected);
  });

  test("is in the schema for editors", () => {
    expect(definitionSchemas().source.properties).toMatchObject({
      drift: { default: "quarantine", enum: ["quarantine", "stop", "evolve"] },
      leave_out: { type: "array", maxItems: 100, items: { type: "string" } },
    });
  });
});
