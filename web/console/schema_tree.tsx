/**
 * The schema at the editor's side: layers, tables, columns with type and comment. A click on a name writes it.
 *
 * @module
 */
import { useState } from "react";
import { sqlName } from "./cell.ts";
import { filtered, type SchemaColumn, type SchemaDatabase, type SchemaTable } from "./sql_schema.ts";

/** The tree, with a field that searches names and comments. */
export function SchemaTree({ schema, insert }: { schema: readonly SchemaDatabase[]; insert: (text: string) => void }) {
  const [wanted, setWanted] = useState("");
  const found = filtered(schema, wanted);
  return (
    <>
      <input
        type="search"
        aria-label="Search the schema"
        placeholder="Search"
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
      />
      {found.length === 0 && (
        <p className="empty">{schema.length === 0 ? "No tables yet." : "Nothing of that name."}</p>
      )}
      {found.map(({ name, tables }) => (
        <section key={name} className="layer" aria-label={name}>
          <h2>{name}</h2>
          <ul>
            {tables.map((table) => (
              <TableBranch key={table.name} layer={name} table={table} insert={insert} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function TableBranch(props: { layer: string; table: SchemaTable; insert: (text: string) => void }) {
  const { layer, table, insert } = props;
  const [isOpen, setOpen] = useState(false);
  const name = `${sqlName(layer)}.${sqlName(table.name)}`;
  return (
    <li>
      <div className="branch">
        <button
          type="button"
          className="fold"
          aria-expanded={isOpen}
          aria-label={`Columns of ${table.name}`}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? "▾" : "▸"}
        </button>
        <button type="button" className="name" title={table.comment || undefined} onClick={() => insert(name)}>
          {table.name}
        </button>
      </div>
      {isOpen && (
        <>
          {table.comment !== "" && <p className="about">{table.comment}</p>}
          <ul>
            {table.columns.map((column) => (
              <ColumnLeaf key={column.name} column={column} insert={insert} />
            ))}
          </ul>
        </>
      )}
    </li>
  );
}

function ColumnLeaf({ column, insert }: { column: SchemaColumn; insert: (text: string) => void }) {
  const { name, type, comment } = column;
  return (
    <li>
      <button type="button" className="leaf" onClick={() => insert(sqlName(name))}>
        <span>
          {name} <code>{type}</code>
        </span>
        {comment !== "" && <small>{comment}</small>}
      </button>
    </li>
  );
}
