/**
 * One value, whole: what its cell cuts short.
 *
 * @module
 */
import { WHOLE_CHARS_MAX, wholeText } from "./cell.ts";
import type { Column } from "./compact_rows.ts";
import { CopyButton } from "./copy_button.tsx";

/** The chosen value with its column and row. */
export function CellWhole(props: { column: Column; row: number; value: unknown; close: () => void }) {
  const { column, row, value, close } = props;
  const text = wholeText(value ?? null);
  return (
    <section className="whole" aria-label="Chosen value">
      <p className="about">
        <strong>{column.name}</strong> <code>{column.type}</code> row {(row + 1).toLocaleString("en")}
        {text.length > WHOLE_CHARS_MAX && ` · the first ${WHOLE_CHARS_MAX.toLocaleString("en")} characters`}
      </p>
      <pre>{value === null ? <i className="null">null</i> : text.slice(0, WHOLE_CHARS_MAX)}</pre>
      <div className="tools">
        <CopyButton text={() => text} name="Copy value" />
        <button type="button" className="quiet" onClick={close}>
          Close
        </button>
      </div>
    </section>
  );
}
