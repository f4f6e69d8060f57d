/**
 * A schema for people: fields with type and meaning, those of inner objects indented below them.
 *
 * @module
 */

import { type ApiDocument, type Schema, schemaIn, textOf } from "./docs_document.ts";
import { Prose } from "./docs_prose.tsx";

/** Objects within objects, at most: a document may refer to itself. */
const DEPTH_MAX = 5;

interface Field {
  readonly name: string;
  readonly depth: number;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

/** The fields of a schema, as a table; nothing for a schema without any. */
export function SchemaFields({ document, schema }: { document: ApiDocument; schema: Schema }) {
  const fields = fieldsOf(document, schema, 0);
  if (fields.length === 0) return <p className="about">{typeText(document, schema)}</p>;
  return (
    <div className="scroll">
      <table className="fields">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Type</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(({ name, depth, schema: field, isRequired }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes, and names repeat at other depths.
            <tr key={index}>
              <th scope="row" data-depth={depth}>
                <code>{name}</code>
                {!isRequired && <small> optional</small>}
              </th>
              <td>{typeText(document, field)}</td>
              <td>
                <Prose text={schemaIn(document, field).description ?? ""} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function fieldsOf(document: ApiDocument, schema: Schema, depth: number): readonly Field[] {
  if (depth > DEPTH_MAX) return [];
  const own = schemaIn(document, schema);
  if (own.contentSchema !== undefined) return fieldsOf(document, own.contentSchema, depth);
  if (own.items !== undefined) return fieldsOf(document, own.items, depth);
  const of = [own, ...(own.allOf ?? []), ...(own.anyOf ?? []).slice(0, 1)].map((one) => schemaIn(document, one));
  return of.flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).flatMap(([name, field]) => [
      { name, depth, schema: field, isRequired: required.includes(name) },
      ...fieldsOf(document, field, depth + 1),
    ]),
  );
}

/** The type in some words: `string · date-time`, `integer · 1 to 1440`, `list of object`. */
export function typeText(document: ApiDocument, schema: Schema): string {
  const {
    type,
    format,
    enum: values,
    const: only,
    items,
    anyOf,
    minimum,
    maximum,
    ...own
  } = schemaIn(document, schema);
  if (only !== undefined) return textOf(only);
  if (values !== undefined) return values.map((value) => textOf(value)).join(" | ");
  if (items !== undefined) return `list of ${typeText(document, items)}`;
  if (anyOf !== undefined) return [...new Set(anyOf.map((one) => typeText(document, one)))].join(" or ");
  const names = [type ?? (own.properties === undefined && own.allOf === undefined ? "anything" : "object")].flat();
  const bounds = minimum === undefined && maximum === undefined ? [] : [rangeText(minimum, maximum)];
  const engine = own["x-clickhouse-type"];
  return [names.join(" or "), ...(format === undefined ? [] : [format]), ...bounds, ...(engine ? [engine] : [])].join(
    " · ",
  );
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  if (maximum === undefined) return `at least ${minimum}`;
  return minimum === undefined ? `at most ${maximum}` : `${minimum} to ${maximum}`;
}
