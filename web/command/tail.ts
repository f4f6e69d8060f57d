/**
 * `weir tail`: a source's records as they arrive in the log.
 *
 *   GET /v1/admin/sources/<source>/tail ──lines──▶ terminal, until --limit, the door or the reader ends it
 *
 * @module
 */
import { Argument, Command } from "effect/cli";
import type { Config } from "../config.ts";
import { safeText } from "../safe_text.ts";
import { ask, ClientFailed, linesOf, type Refused, refused } from "./client.ts";
import { answering, jsonFlag, textFlag } from "./root.ts";
import { fitted } from "./table_text.ts";

const flags = {
  source: Argument.String("source").pipe(Argument.withDescription("its name: sale")),
  from: textFlag("from", {
    metavar: "WHERE",
    doc: 'latest, earliest, a number of records back in each partition, a time (RFC 3339), or "10 min" ago (latest)',
  }),
  partition: textFlag("partition", { metavar: "N", doc: "of this partition only (all)" }),
  limit: textFlag("limit", { metavar: "N", doc: "end after so many records (never)" }),
  json: jsonFlag,
};

/** A record, a gap, or an error, as the door tells it. */
interface Line {
  readonly partition: number;
  readonly offset: number;
  readonly at: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly value_bytes: number | null;
  readonly value_is_cut?: boolean;
  readonly value_encoding?: "base64";
  /** Of another format than JSON: the row that the record is, or why it is none. */
  readonly row?: string;
  readonly op?: string;
  readonly no_row?: string;
  readonly refused?: { readonly column: string | null; readonly reason: string };
  readonly gap?: { readonly partition: number; readonly message: string };
  readonly error?: Refused["error"];
}

/** `weir tail`. */
export const tailCommand = Command.make("tail", flags, ({ json, ...asked }) =>
  answering({}, (config) => tail(config, { ...asked, isJson: json })),
).pipe(
  Command.withDescription("Show a source's records as they arrive in the log, before they are judged"),
  Command.withExamples([
    { command: "weir tail sale" },
    { command: "weir tail sale --from 10 --limit 10 --json | jq .value" },
    { command: "weir tail sale --from 2026-01-31T09:00:00Z --partition 2" },
  ]),
);

interface Asked {
  readonly source: string;
  readonly from: string | undefined;
  readonly partition: string | undefined;
  readonly limit: string | undefined;
  readonly isJson: boolean;
}

async function tail(config: Config, { source, isJson, ...asked }: Asked): Promise<number> {
  const said = Object.entries(asked).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const path = `/v1/admin/sources/${encodeURIComponent(source)}/tail?${new URLSearchParams(said)}`;
  const response = await ask(config, path, {});
  if (!response.ok) throw refused((await response.json()) as Refused);
  let shown = 0;
  try {
    for await (const text of linesOf(response)) {
      if (text === "") continue;
      const line = JSON.parse(text) as Line;
      if (line.error !== undefined) throw refused({ error: line.error });
      if (line.gap === undefined) shown += 1;
      console.log(isJson ? text : lineText(line, process.stdout.isTTY ? process.stdout.columns : undefined));
    }
  } catch (error) {
    if (error instanceof ClientFailed) throw error;
    throw new ClientFailed("The door ended the tail. Run it again when the door is open.");
  }
  if (shown >= Number(asked.limit ?? Number.POSITIVE_INFINITY)) return 0;
  throw new ClientFailed("The door ended the tail: it is closing, or the token is no longer valid.");
}

/** `2:1041  2026-01-31T09:00:00.123Z  a-1  {"order_id":"a-1"}`; cut to `width` if there is one. */
function lineText(line: Line, width: number | undefined): string {
  if (line.gap !== undefined) return `${line.gap.partition}: ${line.gap.message}`;
  const { partition, offset, at, key } = line;
  const text = `${partition}:${offset}  ${at}  ${key === null ? "-" : safeText(key)}  ${meaningText(line) ?? valueText(line)}`;
  return width === undefined ? text : fitted(text, width);
}

/** What a record says, where its bytes alone would not; undefined where they do. */
function meaningText({ row, op, no_row, refused }: Line): string | undefined {
  if (row !== undefined) return `${op} ${safeText(row)}`;
  if (no_row !== undefined) return `no row: ${no_row}`;
  if (refused === undefined) return undefined;
  return `refused: ${safeText(refused.column === null ? refused.reason : `${refused.column}: ${refused.reason}`)}`;
}

function valueText({ value, value_bytes, value_is_cut = false, value_encoding }: Line): string {
  if (value === null) return "no value";
  const kind = value_encoding === undefined ? "" : "base64 ";
  return `${kind}${safeText(value)}${value_is_cut ? ` … (${value_bytes} bytes)` : ""}`;
}
