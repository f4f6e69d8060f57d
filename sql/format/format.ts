/**
 * Formats: how a source's records are written, and what turns them into the JSON that is judged.
 *
 *   bytes of the log ──Decoder──▶ row: JSON text of one object, and what happened to it ──▶ scanner · judge · insert
 *                        ├──────▶ refused: quarantined, with the bytes as they came
 *                        └──────▶ nothing: a record that changes no row (a tombstone, a change of the schema)
 *
 * A decoder is pure and made once from the definition alone: its verdict on a
 * record is the same on every try and in every process; what a registry says of
 * an id is brought along, and is the same each time too. What it yields passes
 * the same judge as an event that was sent as JSON, so types, unknown fields
 * and the quarantine are the same whatever the format.
 *
 * @module
 */
import type { ColumnType } from "../conform/column_type.ts";
import type { Source } from "../source.ts";
import { avroDecoder } from "./avro.ts";
import { canalDecoder } from "./canal.ts";
import { csvDecoder } from "./csv.ts";
import { debeziumDecoder } from "./debezium.ts";
import { protobufDecoder } from "./protobuf.ts";
import { Undecodable, utf8 } from "./undecodable.ts";
import type { SchemaOf } from "./wire_format.ts";

/** How the records of a source are written. */
export type Format =
  | { readonly kind: "json" | "debezium" | "canal" }
  | { readonly kind: "csv"; readonly delimiter: string; readonly columns: readonly string[] }
  | {
      readonly kind: "avro";
      /**
       * The one schema of all records, or their schemas by the id in front of each record (Confluent's wire format);
       * undefined: a schema registry says what the ids mean.
       */
      readonly schema: string | ReadonlyMap<number, string> | undefined;
      /** Records are Debezium's changes of rows. */
      readonly isChange: boolean;
    }
  | { readonly kind: "protobuf"; readonly schema: string; readonly message: string; readonly isFramed: boolean };

/** What happened to a row, as Debezium names it: created, updated, deleted, read by a snapshot. */
export type Op = "c" | "u" | "d" | "r";

/** What a record says. */
export type Decoded =
  | { readonly kind: "row"; readonly text: string; readonly op: Op }
  | { readonly kind: "refused"; readonly column: string; readonly reason: string }
  | { readonly kind: "nothing"; readonly reason: string };

/** Reads one record's value; null is a tombstone. `schemaOf` says what the ids of a registry mean. Never throws. */
export type Decoder = (value: Uint8Array | null, schemaOf?: SchemaOf) => Decoded;

/** What a decoder of one format does: it may throw `Undecodable`. */
export type Decode = (value: Uint8Array, schemaOf?: SchemaOf) => Exclude<Decoded, { readonly kind: "refused" }>;

/** Whether records of the format say what happened to their row. */
export const hasOps = (format: Format): boolean => isDebezium(format) || format.kind === "canal";

/** Whether a registry says what the schemas of its records are. */
export const usesRegistry = (format: Format): boolean => format.kind === "avro" && format.schema === undefined;

const isDebezium = (format: Format): boolean =>
  format.kind === "debezium" || (format.kind === "avro" && format.isChange);

/** Takes an event as the JSON that it is; for those who have one event at a time. */
export const jsonDecoder: Decoder = (value) =>
  value === null ? NO_VALUE : guarded(() => ({ kind: "row", text: utf8(value, "the event"), op: "c" }));

const NO_VALUE: Decoded = { kind: "refused", column: "", reason: "the record has no value" };

/** Makes the decoder of a source; undefined for JSON, which is judged as it is. Throws `SchemaRefused`. */
export function decoderOf(source: Source, types: readonly ColumnType[]): Decoder | undefined {
  const { format } = source;
  if (format.kind === "json") return undefined;
  const decode = decodeOf(source, types);
  return (value, schemaOf) => (value === null ? tombstone(format) : guarded(() => decode(value, schemaOf)));
}

function guarded(decode: () => Decoded): Decoded {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return { kind: "refused", column: error.column, reason: error.message };
  }
}

function decodeOf({ format, columns, unknown }: Source, types: readonly ColumnType[]): Decode {
  const named = new Map(columns.map(({ name }, index) => [name, types[index]]));
  switch (format.kind) {
    case "csv":
      return csvDecoder(format, named);
    case "debezium":
      return debeziumDecoder();
    case "canal":
      return canalDecoder(named);
    case "avro":
      return format.isChange ? changeDecoder(avroDecoder(format.schema)) : avroDecoder(format.schema);
    case "protobuf":
      return protobufDecoder(format, unknown);
    case "json":
      throw new Error("JSON needs no decoder.");
  }
}

/** Changes of rows inside another format: what that says is the change. */
function changeDecoder(outer: Decode): Decode {
  const change = debeziumDecoder();
  return (value, schemaOf) => {
    const said = outer(value, schemaOf);
    return said.kind === "row" ? change(Buffer.from(said.text)) : said;
  };
}

/** Debezium sends one behind every delete, for compacted topics; the delete itself has said everything. */
function tombstone(format: Format): Decoded {
  if (isDebezium(format)) return { kind: "nothing", reason: "a tombstone repeats the delete before it" };
  return NO_VALUE;
}
