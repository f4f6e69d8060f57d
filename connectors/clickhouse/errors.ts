/**
 * What an error of ClickHouse means for the caller: refused, not done or unknown.
 *
 * Pure tables; the judges are `errors_test.ts` and the port's definition in
 * `warehouse.ts`. A code that no table knows is `unknown`: that claims the
 * least. A caller with a token repeats it safely, and no good row is ever taken
 * for a bad one because a new version brought a new number.
 *
 * @module
 */
import { WarehouseFailed } from "../warehouse.ts";

type Outcome = WarehouseFailed["outcome"];

/** Messages are cut here. */
export const MESSAGE_CHARS_MAX = 1_000;

/** The request itself was judged: its data, syntax, names, types, rights or size. ClickHouse's ErrorCodes.cpp. */
const REFUSED: ReadonlySet<number> = new Set([
  // Data that cannot be parsed or converted.
  ...[6, 7, 19, 25, 26, 27, 28, 32, 33, 38, 41, 53, 69, 70, 72, 108, 117, 120, 124, 128, 130, 131, 153, 321, 349],
  ...[376, 395, 407, 441, 444, 467, 469, 490, 563, 578, 626, 632, 645, 652, 675, 676, 691, 723, 748, 760],
  // Syntax, names, types, functions, shapes of queries.
  ...[1, 2, 8, 9, 10, 11, 12, 13, 15, 16, 20, 34, 35, 36, 37, 39, 40, 42, 43, 44, 46, 47, 48, 50, 51, 52, 55, 56],
  ...[57, 58, 59, 60, 62, 63, 73, 78, 79, 80, 81, 82, 85, 89, 90, 92, 115, 116, 119, 121, 122, 123, 125, 127, 129],
  ...[133, 134, 135, 141, 152, 169, 170, 174, 179, 181, 182, 183, 184, 186, 190, 206, 207, 208, 211, 213, 215, 218],
  ...[219, 223, 248, 256, 257, 258, 260, 262, 264, 277, 282, 283, 284, 288, 309, 318, 336, 344, 352, 353, 366, 370],
  ...[377, 378, 386, 387, 390, 397, 398, 399, 401, 403, 406, 408, 417, 418, 419, 420, 421, 422, 427, 431, 432, 433],
  ...[438, 440, 446, 450, 455, 456, 457, 471, 474, 475, 476, 477, 478, 479, 480, 486, 487, 489, 491, 498, 504, 520],
  ...[524, 527, 544, 545, 546, 549, 557, 558, 582, 583, 584, 596, 598, 599, 600, 606, 609, 610, 611, 620, 628, 630],
  ...[633, 636, 649, 669, 670, 671, 701, 703, 704, 705, 708, 712, 715, 721, 727, 728, 729, 744, 756, 764, 769, 772],
  // Rights.
  ...[164, 192, 193, 194, 195, 291, 358, 359, 372, 374, 392, 452, 472, 481, 482, 492, 493, 495, 496, 497, 514, 516],
  ...[673, 711, 720, 726, 763, 767, 774, 779],
  // Too much asked for.
  ...[158, 161, 162, 165, 166, 167, 168, 191, 229, 269, 290, 306, 307, 396, 565, 572, 581, 718, 724, 725, 755],
]);

/** Nothing was done and nothing is wrong with the request: memory, parts, room, places, a server that is not ready. */
const NOT_DONE: ReadonlySet<number> = new Set([
  ...[156, 173, 198, 201, 202, 203, 216, 225, 241, 242, 243, 252, 254, 279, 281, 285, 364, 369, 373, 415, 439, 473],
  ...[519, 529, 574, 692, 695, 696, 700, 722, 733, 738, 745, 749, 762, 776, 777, 778],
]);

/** The outcome of an error that ClickHouse answered; `code` 0 is an answer of something before it, for example a proxy. */
export function outcomeOf(
  code: number,
  { status, message }: { readonly status: number; readonly message: string },
): Outcome {
  // 252 is two errors: one passes with time, this one never does.
  if (code === 252 && /Too many partitions/i.test(message)) return "refused";
  if (REFUSED.has(code)) return "refused";
  // The table itself may already hold the rows when one of its views fails.
  if (NOT_DONE.has(code)) return /while pushing to view/i.test(message) ? "unknown" : "not done";
  if (code === 0 && status >= 400 && status < 500 && status !== 408 && status !== 429) return "refused";
  if (code === 0 && status === 429) return "not done";
  return "unknown";
}

/** The failure in an answer: `codeHeader` is `X-ClickHouse-Exception-Code`, `text` the body. */
export function failureOf(answer: {
  readonly status: number;
  readonly codeHeader: string | undefined;
  readonly text: string;
}): WarehouseFailed {
  const code = Number(answer.codeHeader ?? /Code: (\d+)\./.exec(answer.text)?.[1] ?? 0) || 0;
  const message = cleanMessage(answer.text) || `HTTP status ${answer.status} without a message`;
  const view = failedView(answer.text);
  const outcome = outcomeOf(code, { status: answer.status, message: answer.text });
  return new WarehouseFailed({ outcome, code, message, ...(view === undefined ? {} : { view }) });
}

/**
 * The view whose query failed: the first of those that the message ends with. Only the engine's own
 * ending is read: what stands before it may quote data, and data must not name a view.
 */
export function failedView(text: string): string | undefined {
  const views = PUSHED.exec(text.trimEnd())?.[1];
  return views === undefined ? undefined : /while pushing to view ([\w.`]+)/.exec(views)?.[1]?.replaceAll(/`|\.$/g, "");
}

const PUSHED =
  /((?:: while pushing to view [\w.`]+(?: \([\w-]+\))?)+)\.? \([A-Z0-9_]+\) \(version [^()]*(?:\([^()]*\))?[^()]*\)$/;

/** Errors before a connection stood: not a byte of the request was sent. */
const BEFORE_SENDING: ReadonlySet<string> = new Set([
  ...["ECONNREFUSED", "ConnectionRefused", "FailedToOpenSocket", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH"],
  ...["ENETUNREACH", "EADDRNOTAVAIL", "EMFILE", "ERR_TLS_CERT_ALTNAME_INVALID", "DEPTH_ZERO_SELF_SIGNED_CERT"],
  ...["SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "CERT_HAS_EXPIRED"],
]);

/** The failure of an exchange that brought no answer. */
export function lostExchange(cause: unknown): WarehouseFailed {
  if (cause instanceof WarehouseFailed) return cause;
  const code = (cause as { readonly code?: unknown } | null)?.code;
  const name = typeof code === "string" ? code : cause instanceof Error ? cause.name : "unknown";
  if (BEFORE_SENDING.has(name)) {
    return new WarehouseFailed({ outcome: "not done", code: 0, message: `Cannot reach ClickHouse: ${name}.` });
  }
  const message = `Cannot read ClickHouse's answer: the connection was lost (${name}).`;
  return new WarehouseFailed({ outcome: "unknown", code: 0, message });
}

/** First line of ClickHouse's text, without code, name, version, hosts, at most `MESSAGE_CHARS_MAX`. */
export function cleanMessage(text: string): string {
  const line = text.trimStart().split(/[\r\n]/, 1)[0] ?? "";
  return line
    .replace(/Received from \S+:\d+\. /g, "")
    .replace(/(?:Code: \d+\. )?DB::(?:Net)?Exception: /g, "")
    .replace(/ ?\((?:version|official build|altinity build)[^()]*(?:\([^()]*\)[^()]*)*\)/g, "")
    .replace(/ ?\((?:\[[0-9a-fA-F:]+\]|[\w-]+(?:\.[\w-]+)*):\d{2,5}(?:, [^()]*)?\)/g, "")
    .replace(/ \([A-Z0-9_]{3,}\)\s*$/, "")
    .trim()
    .slice(0, MESSAGE_CHARS_MAX);
}
