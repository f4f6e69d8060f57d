/**
 * A description as people read it: what stands in backquotes is code. Nothing else of Markdown means anything here.
 *
 * @module
 */

/** A part of a description, and where it begins. */
interface Part {
  readonly from: number;
  readonly text: string;
  readonly isCode: boolean;
}

/** The text; whatever it holds, it stays text. */
export function Prose({ text }: { text: string }) {
  return partsOf(text).map((part) => (part.isCode ? <code key={part.from}>{part.text}</code> : part.text));
}

function partsOf(text: string): readonly Part[] {
  const parts: Part[] = [];
  for (const { index, 0: whole, 1: code, 2: plain } of text.matchAll(/`([^`]+)`|([^`]+|`)/g)) {
    parts.push({ from: index, text: code ?? plain ?? whole, isCode: code !== undefined });
  }
  return parts;
}
