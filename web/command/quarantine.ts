/**
 * `weir quarantine list | show | replay | drop`: what could not be stored, and what becomes of it.
 *
 *   list ──an example's id──▶ show ──source corrected: weir apply──▶ replay --dry-run ──▶ replay       rubbish ──▶ drop
 *
 * Replay and drop go page by page until everything that was meant is done; cut
 * off, they are simply run again: nothing gets into the log twice.
 *
 * @module
 */
import { Argument, Command } from "effect/cli";
import type { Config } from "../config.ts";
import type { Page, QuarantineGroup } from "../quarantine.ts";
import { safeLines, safeText } from "../safe_text.ts";
import { askJson, ClientFailed, postJson } from "./client.ts";
import { answering, jsonFlag, switchFlag, textFlag } from "./root.ts";
import { tableText } from "./table_text.ts";

const PATH = "/v1/admin/quarantine";
const WIDTH_ELSE = 160;
/** Ids that one request names. */
const IDS_MAX = 500;

const filters = {
  source: textFlag("source", { metavar: "NAME", doc: "of this source" }),
  since: textFlag("since", { metavar: "TIME", doc: 'quarantined since a time (RFC 3339), or so long ago: "2 hours"' }),
  column: textFlag("column", { metavar: "NAME", doc: "this column is at fault" }),
  reason: textFlag("reason", { metavar: "TEXT", doc: "the reason contains this" }),
};

const idArgument = Argument.String("id").pipe(Argument.withDescription("a row's id, as list shows it: sale.1.0.5"));
const idArguments = idArgument.pipe(Argument.variadic());

const listFlags = {
  ...filters,
  limit: textFlag("limit", { metavar: "N", doc: "at most so many, 1 to 500 (50)" }),
  rows: switchFlag("rows", { doc: "every row, newest first, instead of groups" }),
  all: switchFlag("all", { doc: "also what was replayed or dropped" }),
  json: jsonFlag,
};

/** `weir quarantine list`. */
const list = Command.make("list", listFlags, ({ rows, all, json, ...narrow }) =>
  answering({}, async (config) => {
    const search = searchOf({ ...narrow, all: all ? "1" : undefined });
    const width = process.stdout.columns ?? WIDTH_ELSE;
    if (rows) {
      const page = await askJson<Page>(config, `${PATH}?${search}`);
      console.log(json ? JSON.stringify(page) : rowsText(page, width));
      return 0;
    }
    const groups = await askJson<Groups>(config, `${PATH}/groups?${search}`);
    console.log(json ? JSON.stringify(groups) : groupsText(groups, width));
    return 0;
  }),
).pipe(
  Command.withDescription("What could not be stored, by source, column and reason"),
  Command.withExamples([
    { command: 'weir quarantine list --since "1 day"' },
    { command: "weir quarantine list --source sale --column price --rows" },
  ]),
);

interface Groups {
  readonly groups: readonly QuarantineGroup[];
  readonly groups_total: number;
}

function groupsText({ groups, groups_total }: Groups, width: number): string {
  if (groups.length === 0) return "Nothing is quarantined.";
  const rows = groups.map(({ column, count, refused, first_at, last_at, ...group }) => ({
    ...{ source: group.source, column: column ?? "-", count, at: refused ? "door" : "log" },
    ...{ first: first_at.slice(0, 19), last: last_at.slice(0, 19), example: group.example, reason: group.reason },
  }));
  const more = groups_total > groups.length ? `\n${groups_total - groups.length} more groups: --limit` : "";
  return `${tableText(rows, width)}${more}`;
}

function rowsText({ rows, next }: Page, width: number): string {
  if (rows.length === 0) return "Nothing is quarantined.";
  const shown = rows.map(({ id, quarantined_at, column, reason, raw }) => ({
    ...{ id, quarantined: quarantined_at.slice(0, 19), column: column ?? "-", reason, event: raw },
  }));
  return `${tableText(shown, width)}${next === null ? "" : "\nThere are more: --limit, or narrow it down."}`;
}

/** `weir quarantine show`. */
const show = Command.make("show", { id: idArgument, json: jsonFlag }, ({ id, json }) =>
  answering({}, async (config) => {
    const row = await askJson<Shown>(config, `${PATH}/${encodeURIComponent(id)}`);
    console.log(json ? JSON.stringify(row) : shownText(row));
    return 0;
  }),
).pipe(
  Command.withDescription("Everything about one row, with its bytes and what was done with it"),
  Command.withExamples([{ command: "weir quarantine show sale.1.0.5" }]),
);

interface Shown extends Readonly<Record<string, string | number | boolean | null | object>> {
  readonly raw: string;
  readonly actions: readonly { readonly action: string; readonly author: string; readonly at: string }[];
}

function shownText({ raw, raw_base64: _, actions, ...row }: Shown): string {
  const width = Math.max(...Object.keys(row).map((name) => name.length));
  const lines = Object.entries(row).map(([name, value]) => `${name.padEnd(width)}  ${safeText(String(value ?? "-"))}`);
  const done = actions.map(({ action, author, at }) => `${action.padEnd(width)}  by ${safeText(author)}, ${at}`);
  return [...lines, ...done, "", safeLines(raw)].join("\n");
}

const changing = {
  ids: idArguments,
  ...filters,
  dryRun: switchFlag("dry-run", { doc: "say what would be done; do nothing" }),
  json: jsonFlag,
};

const includeRefused = switchFlag("include-refused", {
  doc: "also what the door refused: its sender was told, and may have sent it again corrected",
});

/** `weir quarantine replay`. */
const replay = Command.make("replay", { ...changing, includeRefused }, (asked) =>
  answering({}, (config) => change(config, "replay", asked)),
).pipe(
  Command.withDescription(
    "Judge rows again as their sources are in force now, and put what passes into the log, exactly once",
  ),
  Command.withExamples([
    { command: "weir quarantine replay --source sale --column price --dry-run" },
    { command: "weir quarantine replay sale.1.0.5 sale.1.0.9" },
  ]),
);

/** `weir quarantine drop`. */
const drop = Command.make("drop", changing, (asked) =>
  answering({}, (config) => change(config, "drop", { ...asked, includeRefused: true })),
).pipe(
  Command.withDescription("Mark rows as not wanted: they are no longer listed, and never replayed"),
  Command.withExamples([{ command: 'weir quarantine drop --source sale --reason "not JSON"' }]),
);

/** `weir quarantine`. */
export const quarantineCommand = Command.make("quarantine").pipe(
  Command.withDescription("What could not be stored: list, show, replay, drop"),
  Command.withSubcommands([list, show, replay, drop]),
);

interface Asked {
  readonly ids: readonly string[];
  readonly source: string | undefined;
  readonly since: string | undefined;
  readonly column: string | undefined;
  readonly reason: string | undefined;
  readonly dryRun: boolean;
  readonly includeRefused: boolean;
  readonly json: boolean;
}

interface Report {
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: readonly {
    readonly id: string;
    readonly outcome: string;
    readonly column: string | null;
    readonly reason: string | null;
  }[];
  readonly next: string | null;
}

/** Outcomes that leave a row as it was, though something else was asked for. */
const LEFT = new Set(["still bad", "cut", "no source", "unclear"]);
/** Rows whose reason is printed. */
const TOLD_MAX = 20;

/** What became of the rows, over all pages. */
interface Tally {
  readonly counts: Readonly<Record<string, number>>;
  /** The first rows that were left as they were. */
  readonly left: readonly Report["rows"][number][];
  readonly seen: ReadonlySet<string>;
}

/** Goes through all pages; ends with 1 if a row that was named, or one that was judged, stays as it was. */
async function change(config: Config, verb: "replay" | "drop", asked: Asked): Promise<number> {
  const { ids, json, dryRun, includeRefused, ...narrow } = asked;
  if ((ids.length === 0) === (asked.source === undefined))
    throw new ClientFailed(`Say which rows: weir quarantine ${verb} ID …, or weir quarantine ${verb} --source NAME.`);
  if (ids.length > IDS_MAX) throw new ClientFailed(`Cannot ${verb} ${ids.length} rows by id: at most ${IDS_MAX}.`);
  const which = ids.length > 0 ? { ...narrow, ids } : { ...narrow, include_refused: includeRefused };
  const tally = await tallied(
    (after) => postJson<Report>(config, `${PATH}/${verb}`, { ...which, dry_run: dryRun, after }),
    (report) => json && console.log(JSON.stringify(report)),
  );
  if (!json) tell(tally, asked);
  const unknown = ids.filter((id) => !tally.seen.has(id));
  for (const id of unknown) console.error(`${safeText(id)}: the quarantine has no such row`);
  return tally.left.length > 0 || unknown.length > 0 ? 1 : 0;
}

/** Asks page after page, and counts; `hear` gets each of them. */
async function tallied(
  ask: (after: string | undefined) => Promise<Report>,
  hear: (report: Report) => void,
): Promise<Tally> {
  const counts: Record<string, number> = {};
  const left: Report["rows"][number][] = [];
  const seen = new Set<string>();
  for (let after: string | undefined; ; ) {
    const report = await ask(after);
    hear(report);
    for (const row of report.rows) {
      seen.add(row.id);
      counts[row.outcome] = (counts[row.outcome] ?? 0) + 1;
      if (LEFT.has(row.outcome) && left.length < TOLD_MAX) left.push(row);
    }
    if (report.next === null) return { counts, left, seen };
    after = report.next;
  }
}

/** Prints what became of the rows, and why some were left. */
function tell({ counts, left }: Tally, { ids, includeRefused }: Asked): void {
  for (const { id, column, outcome, reason } of left)
    console.error(safeText(`${id}: ${outcome}: ${column === null ? "" : `${column}: `}${reason ?? ""}`));
  const said = Object.entries(counts).map(([outcome, many]) => `${many} ${outcome}`);
  const none = includeRefused ? "No row waits." : "No row waits; what the door refused needs --include-refused.";
  if (said.length > 0) console.log(said.join(", "));
  else if (ids.length === 0) console.log(none);
}

function searchOf(said: Readonly<Record<string, string | undefined>>): URLSearchParams {
  return new URLSearchParams(Object.entries(said).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
