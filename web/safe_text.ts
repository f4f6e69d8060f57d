/**
 * Texts of others on a terminal and in a log: they never move the cursor or turn the direction of writing.
 *
 * @module
 */

// C0 and C1 controls, line and paragraph separators, marks and overrides of direction, surrogates on their own.
const UNSAFE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\p{Cs}]/gu;
const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text that cannot move the cursor. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, (char) => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A text of several lines that cannot move the cursor any further than to the next one. */
export function safeLines(text: string): string {
  return text.split("\n").map(safeText).join("\n");
}
