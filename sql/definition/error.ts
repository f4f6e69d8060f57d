/**
 * What is wrong with a definition, and where: `file:line:column`, what to do about it.
 *
 * @module
 */

/** A definition that cannot be used. Lines and columns count from 1. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly problem: string;
  readonly hint: string;

  constructor(at: { file: string; line: number; column: number }, problem: string, hint: string) {
    super(`${at.file}:${at.line}:${at.column}: ${problem} ${hint}`);
    this.file = at.file;
    this.line = at.line;
    this.column = at.column;
    this.problem = problem;
    this.hint = hint;
  }
}

/** Line and column, counted from 1, of an offset into a text. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}
