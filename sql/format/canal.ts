/**
 * Canal's flat messages (github.com/alibaba/canal, `canal.mq.flatMessage`): changes of MySQL rows as JSON, every value a text.
 *
 *   {"type":"UPDATE","data":[{"id":"1","paid":"0"}],"old":[…],"isDdl":false}  ──▶  u  {"id":"1","paid":false}
 *
 * A row of `ods` is named by the offset of its record, so a message with several
 * rows cannot be stored: it goes to the quarantine, whole. Pure.
 *
 * @module
 */
import type { ColumnType } from "../conform/column_type.ts";
import { fieldOf, objectOf } from "./envelope.ts";
import type { Decode, Op } from "./format.ts";
import { textValue } from "./text_value.ts";
import { Undecodable, utf8 } from "./undecodable.ts";

const OPS: ReadonlyMap<string, Op> = new Map([
  ["INSERT", "c"],
  ["UPDATE", "u"],
  ["DELETE", "d"],
]);

/** Makes the decoder of a source's messages. */
export function canalDecoder(types: ReadonlyMap<string, ColumnType>): Decode {
  return (value) => {
    const text = utf8(value);
    const root = objectOf(text);
    if (fieldOf(root, "isDdl")?.kind === "true") return { kind: "nothing", reason: "it changes the schema, not a row" };
    const type = fieldOf(root, "type")?.value ?? "";
    const op = OPS.get(type);
    const rows = fieldOf(root, "data");
    if (op === undefined || rows?.kind !== "array") {
      throw new Undecodable("it is no flat message of Canal: it needs `type` INSERT, UPDATE or DELETE and `data`");
    }
    const [row] = rows.items;
    if (row?.kind !== "object" || rows.items.length !== 1) {
      throw new Undecodable(
        `the message has ${rows.items.length} rows, and a record becomes one: split it before the topic, or send the table's changes with Debezium`,
      );
    }
    const fields = row.fields.map(({ name, node }) => {
      const json = node.kind === "string" ? textValue(node.value, types.get(name)) : text.slice(node.start, node.end);
      return `${JSON.stringify(name)}:${json}`;
    });
    return { kind: "row", text: `{${fields.join(",")}}`, op };
  };
}
