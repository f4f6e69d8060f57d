/**
 * `weir position`: where a source's partitions stand, and how they are moved.
 *
 *   GET  /v1/admin/sources/<source>/position ──▶ one line for each partition
 *   POST … ──▶ --accept-gap: on behind what the log has lost · --to: anew, from there, in a new epoch
 *
 * Without one of these flags it only looks. Ends with 1 if a partition stands
 * still, or if nothing was done.
 *
 * @module
 */
import { Argument, Command } from "effect/cli";
import type { Config } from "../config.ts";
import { safeLines, safeText } from "../safe_text.ts";
import { askJson, ClientFailed, postJson } from "./client.ts";
import { answering, jsonFlag, switchFlag, textFlag } from "./root.ts";
import { tableText } from "./table_text.ts";

const WIDTH_ELSE = 160;

const flags = {
  source: Argument.String("source").pipe(Argument.withDescription("its name: sale")),
  acceptGap: switchFlag("accept-gap", {
    doc: "let stopped partitions go on behind records that the log no longer has",
  }),
  to: textFlag("to", {
    metavar: "WHERE",
    doc: 'begin anew: earliest, latest, a time (RFC 3339), "2 days" ago, or an offset for each partition (0:120,1:98)',
  }),
  dryRun: switchFlag("dry-run", { doc: "say what would happen; do nothing" }),
  allowDestructive: switchFlag("allow-destructive", { doc: "with --to: drop the rows that are stored" }),
  json: jsonFlag,
};

/** `weir position`. */
export const positionCommand = Command.make("position", flags, (asked) =>
  answering({}, (config) => position(config, asked)),
).pipe(
  Command.withDescription("Where a source's partitions stand; go on behind a gap, or begin anew elsewhere"),
  Command.withExamples([
    { command: "weir position sale" },
    { command: "weir position sale --accept-gap", description: "what the log has lost is lost: go on" },
    { command: "weir position sale --to 2026-01-31T00:00:00Z --dry-run" },
  ]),
);

interface Asked {
  readonly source: string;
  readonly acceptGap: boolean;
  readonly to: string | undefined;
  readonly dryRun: boolean;
  readonly allowDestructive: boolean;
  readonly json: boolean;
}

async function position(config: Config, asked: Asked): Promise<number> {
  const { source, acceptGap, to, dryRun, allowDestructive, json } = asked;
  const path = `/v1/admin/sources/${encodeURIComponent(source)}/position`;
  if (acceptGap && to !== undefined) throw new ClientFailed("Say one of --accept-gap and --to: a reset needs no gap.");
  if (acceptGap && allowDestructive)
    throw new ClientFailed("Leave out --allow-destructive: --accept-gap drops no row. It belongs to --to.");
  if (acceptGap) {
    const accepted = await postJson<Accepted>(config, path, { accept_gap: true, dry_run: dryRun });
    console.log(json ? JSON.stringify(accepted) : acceptedText(accepted));
    return 0;
  }
  if (to !== undefined) {
    const body = { to, dry_run: dryRun, allow_destructive: allowDestructive };
    const report = await postJson<ResetAnswer>(config, path, body);
    console.log(json ? JSON.stringify(report) : resetText(source, report));
    return 0;
  }
  if (dryRun || allowDestructive) throw new ClientFailed("Say what is to be done: --accept-gap or --to.");
  const standing = await askJson<Standing>(config, path);
  console.log(json ? JSON.stringify(standing) : standingText(standing));
  return standing.partitions.some(({ stopped }) => stopped !== null) ? 1 : 0;
}

interface Gap {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

interface Standing {
  readonly partitions: readonly {
    readonly partition: number;
    readonly epoch: number;
    readonly next: number | null;
    readonly committed: number | null;
    readonly visible: number | null;
    readonly earliest: number;
    readonly latest: number;
    readonly stopped: string | null;
  }[];
  readonly gaps: readonly (Gap & { readonly author: string; readonly accepted_at: string })[];
}

const width = () => process.stdout.columns ?? WIDTH_ELSE;

/** One line for each partition, then why some stand still, then what was accepted as lost. */
export function standingText({ partitions, gaps }: Standing): string {
  const rows = partitions.map(({ partition, epoch, next, committed, visible, earliest, latest, stopped }) => ({
    ...{ partition, epoch, next, committed, visible, earliest, latest },
    is: stopped === null ? "going on" : "STOPPED",
  }));
  const lines = [tableText(rows, width())];
  for (const { stopped } of partitions) if (stopped !== null) lines.push(safeText(stopped));
  for (const { partition, from, to, author, accepted_at } of gaps)
    lines.push(`partition ${partition}: ${from} to ${to - 1} accepted as lost by ${safeText(author)}, ${accepted_at}`);
  return safeLines(lines.join("\n"));
}

interface Accepted {
  readonly done: boolean;
  readonly gaps: readonly Gap[];
}

function acceptedText({ done, gaps }: Accepted): string {
  const verb = done ? "goes on" : "would go on";
  return gaps
    .map(
      ({ partition, from, to }) => `partition ${partition} ${verb} at ${to}; lost: ${to - from} (${from} to ${to - 1})`,
    )
    .join("\n");
}

interface ResetAnswer {
  readonly done: boolean;
  readonly partitions: readonly {
    readonly partition: number;
    readonly epoch: number;
    readonly from: number | null;
    readonly to: number;
    readonly to_read: number;
    readonly skipped: number;
    readonly since: string | null;
  }[];
  readonly rows: number;
  readonly rows_gone: number;
  readonly changes: readonly { readonly name: string }[];
}

function resetText(source: string, { done, partitions, rows, rows_gone, changes }: ResetAnswer): string {
  const above = changes.map(({ name }) => name).filter((name) => name !== `ods.${source}`);
  const lines = [tableText([...partitions], width())];
  const [goes, begin, is] = done ? ["went", "began", "are not read"] : ["would go", "would begin", "would not be read"];
  lines.push(`${rows} rows of ods.${source} ${goes}, ${rows_gone} of them for good: their records ${is} again.`);
  if (above.length > 0) lines.push(`${above.join(", ")} ${begin} anew with it.`);
  lines.push(done ? "Landing goes on from there." : "Nothing was done. --allow-destructive without --dry-run does it.");
  return safeLines(lines.join("\n"));
}
