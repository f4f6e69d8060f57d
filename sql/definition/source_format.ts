/**
 * `format` in a source's front matter: from what is written to a checked `Format`.
 *
 *   csv · { kind: csv, delimiter: ";" } · { kind: avro, schema: … } ──readFormat──▶ Format     or an error with its line
 *
 * A schema stands in the definition, or in a file that travels with it: the
 * text in the catalog is the whole truth, so a record that is judged again,
 * years later or on another machine, gets the same verdict. What a registry
 * says is kept before it is used, for the same reason.
 *
 * @module
 */
import { z } from "zod";
import { decoderOf, type Format, usesRegistry } from "../format/format.ts";
import { SchemaRefused } from "../format/undecodable.ts";
import type { Source } from "../source.ts";
import { DefinitionError } from "./error.ts";
import { type CutFile, placeOf } from "./front_matter.ts";
import { SCHEMA_FILE } from "./schema_files.ts";

const KINDS = ["json", "csv", "debezium", "canal", "avro", "protobuf"] as const;
type Kind = (typeof KINDS)[number];

const SCHEMAS_MAX = 32;
/** What `schemas` says where a schema registry has them. */
const REGISTRY = "registry";
/** What is meant as a file, be it in reach or not; no schema is a word that ends so. */
const FILE_NAME = /^[^\s{}"]+\.(?:avsc|proto)$/;
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
      schema: schemaText
        .optional()
        .describe("avro: the schema as JSON; protobuf: the text of the .proto file; or a file's name beside this one."),
      schemas: z
        .union([z.literal(REGISTRY), z.record(z.string().regex(/^\d{1,10}$/, "An id is a whole number"), schemaText)])
        .optional()
        .describe("avro: schemas by the id in front of each record (Confluent's wire format), or `registry`."),
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
  /** The schema files that came with the definition, by name. */
  readonly files: ReadonlyMap<string, string>;
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
      return { kind, schema: avroSchemas({ schema, schemas }, about), isChange: said.envelope === "debezium" };
    case "protobuf":
      return {
        ...{ kind, message, isFramed: said.framing === "confluent" },
        schema: textOf(schema, { path: ["schema"], about }),
      };
    default:
      return { kind };
  }
}

/** The names of the schema files that a format asks for. */
export function schemaFilesOf(written: z.output<typeof formatOption>): readonly string[] {
  if (typeof written === "string") return [];
  const { schema, schemas } = written;
  const texts = [schema ?? "", ...(typeof schemas === "object" ? Object.values(schemas) : [])];
  return [...new Set(texts.filter((text) => SCHEMA_FILE.test(text)))];
}

function avroSchemas(
  { schema, schemas }: Required<Pick<Written, "schema">> & Pick<Written, "schemas">,
  about: About,
): (Format & { readonly kind: "avro" })["schema"] {
  if (schemas === REGISTRY) return undefined;
  if (schemas === undefined) return textOf(schema, { path: ["schema"], about });
  const path = (id: string) => ["schemas", id];
  return new Map(Object.entries(schemas).map(([id, text]) => [Number(id), textOf(text, { path: path(id), about })]));
}

/** A schema's text: as it is written, or of the file that is named instead. */
function textOf(written: string, { path, about: { cut, files } }: { path: readonly string[]; about: About }): string {
  if (!FILE_NAME.test(written)) return written;
  if (!SCHEMA_FILE.test(written))
    fail(
      cut,
      path,
      `'${written.slice(0, 100)}' is no file beside it`,
      "Name one in its folder or below: schemas/a.avsc.",
    );
  const text = files.get(written);
  const hint = "Apply it from its project's folder: the command sends the file along.";
  return text ?? fail(cut, path, `the file '${written}' did not come along`, hint);
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
  const count = typeof said.schemas === "object" ? Object.keys(said.schemas).length : 0;
  if (count > SCHEMAS_MAX) fail(cut, ["schemas"], `it has ${count} schemas`, `Write ${SCHEMAS_MAX} at most.`);
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
  if ((kind !== "avro" && kind !== "protobuf") || usesRegistry(source.format)) return;
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

/** The error for a format that asks a schema registry where none is configured. */
export function registryMissing(cut: CutFile): DefinitionError {
  const hint = "Set SCHEMA_REGISTRY_URL where Weir is started, or write the schemas by their ids.";
  return problemAt(cut, ["schemas"], { problem: "no schema registry is configured", hint });
}

function fail(cut: CutFile, path: readonly string[], problem: string, hint: string): never {
  throw problemAt(cut, path, { problem, hint });
}

function problemAt(
  cut: CutFile,
  path: readonly string[],
  { problem, hint }: { readonly problem: string; readonly hint: string },
): DefinitionError {
  const [at, what] = [placeOf(cut, ["format", ...path]), ["format", ...path].join(".")];
  return new DefinitionError(at, `Cannot use '${what}': ${problem}.`, hint);
}
