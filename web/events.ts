/**
 * Events: a request's body cut into single JSON texts, without parsing them.
 *
 *   NDJSON ───lines──┐
 *   CSV ──────lines──┤
 *   array ───commas──┼──▶ [start, end) of each event in the body ──▶ scanner or judge
 *   object ──────────┘
 *
 * Pure. Events stay bytes of the body; what one of them says is for the source's
 * projection to judge, so that one bad element never takes the others with it.
 *
 * @module
 */

/** Where events lie in a body: start and end of each, alternating. */
export type EventSpans = readonly number[];

/** An array that cannot be cut: the byte at which it stops being one. */
export class BrokenArray extends Error {
  override readonly name = "BrokenArray";
  readonly offset: number;

  constructor(offset: number, problem: string) {
    super(problem);
    this.offset = offset;
  }
}

/** Events of one request at most: judging them must not hold up everybody else. */
export const EVENTS_MAX = 200_000;

/** More than EVENTS_MAX events. */
export class TooManyEvents extends Error {
  override readonly name = "TooManyEvents";
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** Cuts newline-delimited JSON; blank lines are no events. Throws TooManyEvents. */
export function cutLines(bytes: Uint8Array): EventSpans {
  const spans: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline;
    pushTrimmed(spans, bytes, { start: at, end });
    at = end + 1;
  }
  return spans;
}

/** Cuts CSV: line breaks in quotes do not end an event, blank lines are none. Throws TooManyEvents. */
export function cutCsv(bytes: Uint8Array): EventSpans {
  const spans: number[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at <= bytes.length; at++) {
    if (bytes[at] === QUOTE) isQuoted = !isQuoted;
    if (at < bytes.length && (isQuoted || bytes[at] !== NEWLINE)) continue;
    // Spaces are a cell's own, a carriage return is the line's.
    const end = at > start && bytes[at - 1] === RETURN ? at - 1 : at;
    if (end > start) push(spans, start, end);
    start = at + 1;
  }
  return spans;
}

/** Cuts one JSON value: the elements of an array, or the value itself. Throws BrokenArray or TooManyEvents. */
export function cutJson(bytes: Uint8Array): EventSpans {
  const whole: number[] = [];
  pushTrimmed(whole, bytes, { start: 0, end: bytes.length });
  if (whole.length === 0) throw new BrokenArray(0, "the body is empty");
  const [start, end] = whole;
  if (bytes[start] !== 0x5b) return whole;
  if (bytes[end - 1] !== 0x5d || end - start < 2) throw new BrokenArray(end, "the array does not end");
  return cutArray(bytes, start + 1, end - 1);
}

function cutArray(bytes: Uint8Array, from: number, to: number): EventSpans {
  const spans: number[] = [];
  let depth = 0;
  let start = from;
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = stringEnd(bytes, at, to);
    else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (depth < 0) throw new BrokenArray(at, "a bracket closes what was never opened");
    } else if (byte === COMMA && depth === 0) {
      if (!pushTrimmed(spans, bytes, { start, end: at })) throw new BrokenArray(at, "an element is missing");
      start = at + 1;
    }
  }
  if (depth !== 0) throw new BrokenArray(to, "a bracket is never closed");
  if (!pushTrimmed(spans, bytes, { start, end: to }) && spans.length > 0)
    throw new BrokenArray(to, "an element is missing");
  return spans;
}

/** Index of the quote that ends the string which begins at `start`. */
function stringEnd(bytes: Uint8Array, start: number, to: number): number {
  for (let at = start + 1; at < to; at++) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at;
  }
  throw new BrokenArray(start, "a string is never closed");
}

function pushTrimmed(spans: number[], bytes: Uint8Array, span: { start: number; end: number }): boolean {
  let { start, end } = span;
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  if (start === end) return false;
  push(spans, start, end);
  return true;
}

function push(spans: number[], start: number, end: number): void {
  if (spans.length >= 2 * EVENTS_MAX) throw new TooManyEvents();
  spans.push(start, end);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
