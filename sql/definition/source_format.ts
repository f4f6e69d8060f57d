/**
 * `format` in a source's front matter: from what is written to a checked `Format`.
 *
 *   csv · { kind: csv, delimiter: ";" } · { kind: avro, schema: … } ──readFormat──▶ Format     or an error with its line
 *
 * A schema stands in the definition itself, not in a file beside it or in a
 * registry: the text in the catalog is the whole truth, so a record that is
 * judged again, years later or on another machine, gets the same verdict.
 *
 * @module
 */
import { z } from "zod";
import { decoderOf, type Format } from "../format/format.ts";
import { SchemaRefused } from "../format/undecodable.ts";
import type { Source } from "../source.ts";
import { DefinitionError } from "./error.ts";
import { type CutFile, placeOf } from "./front_matter.ts";

const KINDS = ["json", "csv", "debezium", "canal", "avro", "protobuf"] as const;
type Kind = (typeof KINDS)[number];

const SCHEMAS_MAX = 32;
const schemaText = z.string().min(1);

/** `format`, as front matter may say it. */
export const formatOption = z
  .union([
    z.enum(KINDS),
    z.strictObject({
      kind: z.enum(KINDS).describe("How records are written."),
      delimiter: z
        .string()
        .regex(/^[^"\r\n]$/, 'One character, and neither " nor a line break')
        .optional()
        .describe("csv: what stands between two cells; a comma by default."),
      columns: z
        .array(z.string().min(1))
        .min(1)
        .optional()
        .describe("csv: the columns in the order of the cells; as they are declared by default."),
      schema: schemaText.optional().describe("avro: the schema as JSON; protobuf: the text of the .proto file."),
      schemas: z
        .record(z.string().regex(/^\d{1,10}$/, "An id is a whole number"), schemaText)
        .refine((schemas) => Object.keys(schemas).length <= SCHEMAS_MAX, `At most ${SCHEMAS_MAX} schemas`)
        .optional()
        .describe("avro: schemas by the id in front of each record (Confluent's wire format)."),
      envelope: z
        .enum(["none", "debezium"])
        .optional()
        .describe("avro: whether records are Debezium's changes of rows; none by default."),
      message: z.string().min(1).optional().describe("protobuf: the message that a record is, with its package."),
      framing: z
        .enum(["none", "confluent"])
        .optional()
        .describe("protobuf: whether a schema's id stands in front of each record; none by default."),
    }),
  ])
  .default("json")
  .describe("How records of the topic are written.");

type Written = Exclude<z.output<typeof formatOption>, string>;
type Option = Exclude<keyof Written, "kind">;

/** The options of each kind; a question mark: it may be left out. */
const OPTIONS: Readonly<Record<Kind, readonly (Option | `${Option}?`)[]>> = {
  json: [],
  csv: ["delimiter?", "columns?"],
  debezium: [],
  canal: [],
  avro: ["schema?", "schemas?", "envelope?"],
  protobuf: ["schema", "message", "framing?"],
};

interface About {
  readonly cut: CutFile;
  readonly columns: readonly { readonly name: string }[];
  readonly unknown: Source["unknown"];
}

/** Makes the format; throws a DefinitionError. Whether its schema can be used is `checkSchema`'s to say. */
export function readFormat(written: z.output<typeof formatOption>, about: About): Format {
  const said: Written = typeof written === "string" ? { kind: written } : written;
  const { kind, schema = "", schemas, message = "" } = said;
  checkOptions(said, about);
  switch (kind) {
    case "csv":
      return { kind, delimiter: said.delimiter ?? ",", columns: csvColumns(said, about) };
    case "avro":
      return {
        kind,
        schema:
          schemas === undefined ? schema : new Map(Object.entries(schemas).map(([id, text]) => [Number(id), text])),
        isChange: said.envelope === "debezium",
      };
    case "protobuf":
      return { kind, schema, message, isFramed: said.framing === "confluent" };
    default:
      return { kind };
  }
}

function checkOptions(said: Written, { cut }: About): void {
  const { kind } = said;
  const allowed = OPTIONS[kind];
  for (const [name, value] of Object.entries(said)) {
    if (name === "kind" || value === undefined) continue;
    if (allowed.some((one) => one === name || one === `${name}?`)) continue;
    const names = allowed.map((one) => one.replace("?", "")).join(", ");
    fail(cut, [name], `${kind} has no option '${name}'`, names === "" ? "Leave it out." : `Use one of: ${names}.`);
  }
  for (const name of allowed) {
    if (!name.endsWith("?") && said[name as Option] === undefined)
      fail(cut, [], `${kind} needs \`${name}\``, `Write \`format: { kind: ${kind}, ${name}: … }\`.`);
  }
  if (kind === "avro" && (said.schema === undefined) === (said.schemas === undefined))
    fail(cut, [], "avro needs a schema, or several by their ids", "Say either `schema` or `schemas`.");
}

function csvColumns(said: Written, { cut, columns, unknown }: About): readonly string[] {
  const declared = columns.map(({ name }) => name);
  const names = said.columns ?? declared;
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) fail(cut, ["columns"], `it names '${twice}' twice`, "Name every cell once.");
  const stranger = names.find((name) => !declared.includes(name));
  if (stranger !== undefined && unknown === "reject") {
    const hint = "Declare it, or say `unknown: ignore` or `unknown: keep`.";
    fail(cut, ["columns"], `no column is named '${stranger.slice(0, 100)}'`, hint);
  }
  return names;
}

/** Tries the schema of a finished source; throws a DefinitionError where it stands. */
export function checkSchema(cut: CutFile, source: Source): void {
  const { kind } = source.format;
  if (kind !== "avro" && kind !== "protobuf") return;
  try {
    // These two do not ask what types the columns have.
    decoderOf(source, []);
  } catch (error) {
    if (!(error instanceof SchemaRefused)) throw error;
    const { format } = source;
    const option = format.kind === "avro" && typeof format.schema !== "string" ? "schemas" : "schema";
    fail(cut, [option], `its schema cannot be read: ${error.message}`, error.hint);
  }
}

function fail(cut: CutFile, path: readonly string[], problem: string, hint: string): never {
  const [at, what] = [placeOf(cut, ["format", ...path]), ["format", ...path].join(".")];
  throw new DefinitionError(at, `Cannot use '${what}': ${problem}.`, hint);
}
