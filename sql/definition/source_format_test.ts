/**
 * Formats in front matter: every way to write one, and what every mistake is answered with.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Format } from "../format/format.ts";
import { DefinitionError } from "./error.ts";
import { definitionSchemas } from "./schema.ts";
import { attach } from "./schema_files.ts";
import { finishSource, readSource } from "./source_definition.ts";

function formatOf(options: string): Format {
  const own = `/*---\nkind: source\ndoc: Flights.\n${options}\n---*/\nCREATE TABLE ods.flight (id String, n Int64)`;
  const text = attach(own, FILES);
  const draft = readSource("ods/flight.sql", text);
  return finishSource(draft, draft.table.columns).format;
}

const AVRO = '{"type":"record","name":"Flight","fields":[{"name":"id","type":"string"}]}';
const PROTO = 'syntax = "proto3"; message Flight { string id = 1; }';
const FILES = new Map([
  ["avro/flight.avsc", `${AVRO}\n`],
  ["flight.proto", PROTO],
]);

/** What went wrong: `line:column problem → hint`. */
function wrong(options: string): string {
  try {
    formatOf(options);
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return `${error.line}:${error.column} ${error.problem} → ${error.hint}`;
  }
  return "nothing";
}

describe("format", () => {
  test.each<readonly [string, string, Format]>([
    ["is JSON by default", "", { kind: "json" }],
    ["may be a word", "format: debezium", { kind: "debezium" }],
    ["takes the declared columns of a line", "format: csv", { kind: "csv", delimiter: ",", columns: ["id", "n"] }],
    [
      "takes other columns and another delimiter",
      'unknown: ignore\nformat: { kind: csv, delimiter: ";", columns: [n, x, id] }',
      { kind: "csv", delimiter: ";", columns: ["n", "x", "id"] },
    ],
    [
      "takes a schema of Avro",
      `format:\n  kind: avro\n  schema: |\n    ${AVRO}`,
      { kind: "avro", schema: `${AVRO}\n`, isChange: false },
    ],
    [
      "takes schemas by their ids",
      `format:\n  kind: avro\n  envelope: debezium\n  schemas:\n    7: '${AVRO}'`,
      { kind: "avro", schema: new Map([[7, AVRO]]), isChange: true },
    ],
    [
      "takes the schemas of a registry",
      "format: { kind: avro, schemas: registry, envelope: debezium }",
      { kind: "avro", schema: undefined, isChange: true },
    ],
    [
      "takes a schema of a file that came along",
      "format: { kind: avro, schema: avro/flight.avsc }",
      { kind: "avro", schema: `${AVRO}\n`, isChange: false },
    ],
    [
      "takes schemas of files by their ids, beside others",
      `format: { kind: avro, schemas: { 7: avro/flight.avsc, 8: '${AVRO}' } }`,
      {
        kind: "avro",
        schema: new Map(Object.entries({ 7: `${AVRO}\n`, 8: AVRO }).map(([id, text]) => [Number(id), text])),
        isChange: false,
      },
    ],
    [
      "takes a .proto file that came along",
      "format: { kind: protobuf, message: Flight, schema: flight.proto }",
      { kind: "protobuf", message: "Flight", isFramed: false, schema: PROTO },
    ],
    [
      "takes a message of Protobuf",
      `format:\n  kind: protobuf\n  message: Flight\n  framing: confluent\n  schema: |\n    ${PROTO}`,
      { kind: "protobuf", message: "Flight", isFramed: true, schema: `${PROTO}\n` },
    ],
  ])("%s", (_, options, expected) => {
    expect(formatOf(options)).toEqual(expected);
  });

  test.each([
    [
      "an unknown word",
      "format: xml",
      "4:1 Cannot use 'format': 'xml' is unknown. → Write json or csv or debezium or canal or avro or protobuf.",
    ],
    [
      "an unknown kind",
      "format: { kind: xml }",
      "4:11 Cannot use 'format.kind': 'xml' is unknown. → Write json or csv or debezium or canal or avro or protobuf.",
    ],
    [
      "an unknown option",
      "format:\n  kind: csv\n  header: true",
      "6:3 Cannot use 'format.header' here: there is no such option. → Use one of: kind, delimiter, columns, schema, schemas, envelope, message, framing.",
    ],
    [
      "no kind",
      "format: {}",
      "4:9 Cannot read the front matter: 'format.kind' is missing. → Add `format.kind`. How records are written.",
    ],
    [
      "an option of another kind",
      "format: { kind: csv, message: M }",
      "4:22 Cannot use 'format.message': csv has no option 'message'. → Use one of: delimiter, columns.",
    ],
    [
      "an option of a kind without any",
      "format: { kind: canal, message: M }",
      "4:24 Cannot use 'format.message': canal has no option 'message'. → Leave it out.",
    ],
    [
      "a delimiter of two characters",
      "format: { kind: csv, delimiter: ab }",
      `4:22 Cannot use 'format.delimiter': 'ab' is not allowed. → One character, and neither " nor a line break.`,
    ],
    [
      "a column that is not declared",
      "format: { kind: csv, columns: [id, x] }",
      "4:22 Cannot use 'format.columns': no column is named 'x'. → Declare it, or say `unknown: ignore` or `unknown: keep`.",
    ],
    [
      "a column twice",
      "format: { kind: csv, columns: [id, id] }",
      "4:22 Cannot use 'format.columns': it names 'id' twice. → Name every cell once.",
    ],
    [
      "no schema",
      "format: avro",
      "4:1 Cannot use 'format': avro needs a schema, or several by their ids. → Say either `schema` or `schemas`.",
    ],
    [
      "no message",
      "format: { kind: protobuf, schema: x }",
      "4:1 Cannot use 'format': protobuf needs `message`. → Write `format: { kind: protobuf, message: … }`.",
    ],
    [
      "an id that is none",
      "format: { kind: avro, schemas: { x: y } }",
      "4:34 Cannot use 'format.schemas.x': its name is not allowed. → An id is a whole number.",
    ],
    [
      "a schema that is no JSON",
      "format: { kind: avro, schema: x }",
      "4:23 Cannot use 'format.schema': its schema cannot be read: it is no schema of Avro: it is not JSON (JSON Parse error: Unexpected identifier \"x\"). → Write the schema with which the producer writes, as Avro's JSON.",
    ],
    [
      "another word for a registry",
      "format: { kind: avro, schemas: regstry }",
      "4:23 Cannot use 'format.schemas': 'regstry' is unknown. → Write registry.",
    ],
    [
      "too many schemas",
      `format: { kind: avro, schemas: { ${Array.from({ length: 33 }, (_, id) => `${id}: x`).join(", ")} } }`,
      "4:23 Cannot use 'format.schemas': it has 33 schemas. → Write 32 at most.",
    ],
    [
      "a file that did not come along",
      "format:\n  kind: avro\n  schema: other.avsc",
      "6:3 Cannot use 'format.schema': the file 'other.avsc' did not come along. → Apply it from its project's folder: the command sends the file along.",
    ],
    [
      "a file that did not come along, of one id",
      "format:\n  kind: avro\n  schemas:\n    7: other.avsc",
      "7:5 Cannot use 'format.schemas.7': the file 'other.avsc' did not come along. → Apply it from its project's folder: the command sends the file along.",
    ],
    [
      "a file out of the folder",
      "format: { kind: avro, schema: ../flight.avsc }",
      "4:23 Cannot use 'format.schema': '../flight.avsc' is no file beside it. → Name one in its folder or below: schemas/a.avsc.",
    ],
    [
      "a message that is not in the schema",
      `format: { kind: protobuf, message: M, schema: '${PROTO}' }`,
      "4:39 Cannot use 'format.schema': its schema cannot be read: it has no message 'M'. → Name one of: Flight.",
    ],
    [
      "another word for drift",
      "drift: ignore",
      "4:1 Cannot use 'drift': 'ignore' is unknown. → Write quarantine or stop or evolve.",
    ],
  ])("refuses %s", (_, options, expected) => {
    expect(wrong(options)).toBe(expected);
  });

  test("is in the schema for editors, as a word and as a group", () => {
    const { properties } = definitionSchemas().source as { properties: Record<string, { anyOf?: readonly object[] }> };
    expect(properties.format).toMatchObject({
      default: "json",
      anyOf: [{ type: "string" }, { type: "object", required: ["kind"] }],
    });
  });
});
