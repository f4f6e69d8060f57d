/**
 * What a decoder refuses: a record that is not what its format says, and a schema that cannot be read.
 *
 * @module
 */

/** The record is damaged or not of its source's format; `column` is empty when it is all of it. */
export class Undecodable extends Error {
  readonly column: string;

  constructor(reason: string, column = "") {
    super(reason);
    this.column = column;
  }
}

/** The schema in a definition cannot be used; the message says why, `hint` what to write. */
export class SchemaRefused extends Error {
  readonly hint: string;

  constructor(problem: string, hint: string) {
    super(problem);
    this.hint = hint;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes as text; throws `Undecodable`. */
export function utf8(bytes: Uint8Array, what = "the record"): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    // A fatal decoder throws for exactly one reason.
    throw new Undecodable(`${what} is not valid UTF-8`);
  }
}
