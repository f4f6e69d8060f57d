/**
 * `bun run bench <name> [--json] [--seconds N] [--minutes N]`: measures on this machine and prints a table.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { temporaryFolder } from "../door_process.ts";
import { ingest } from "./ingest.ts";
import { kafka } from "./kafka.ts";
import { models } from "./models.ts";
import { sql } from "./sql.ts";

/** How a bench is run, where, and who hears what it does. */
export interface How {
  /** A folder of its own, which goes with the bench. */
  readonly dir: string;
  readonly seconds: number;
  readonly minutes: number;
  readonly say: (text: string) => void;
  /** Keeps a figure, and says it at once. */
  readonly add: (figure: Figure) => void;
}

/** One measured figure, with what was aimed at. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The target, and whether more or less is better. */
  readonly target?: { readonly value: number; readonly is: "at least" | "at most" };
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { json: { type: "boolean" }, seconds: { type: "string" }, minutes: { type: "string" } },
  allowPositionals: true,
});
const BENCHES = { ingest, kafka, models, sql } as const;
const [name = ""] = positionals;
if (!(name in BENCHES)) {
  const known = Object.keys(BENCHES).join("|");
  console.error(
    `Cannot run bench '${name}': there is no such bench. Run: bun run bench ${known} [--seconds 10] [--minutes 5] [--json]`,
  );
  process.exit(2);
}
const bench = BENCHES[name as keyof typeof BENCHES];
const say = (text: string) => (values.json ? console.error(text) : console.log(text));
const folder = temporaryFolder("bench");
const figures: Figure[] = [];
const add = (figure: Figure) => {
  figures.push(figure);
  say(`  ${figure.name}: ${figure.value} ${figure.unit}`);
};
const [seconds, minutes] = [Number(values.seconds ?? 10), Number(values.minutes ?? 0)];
await bench({ dir: folder.path, seconds, minutes, say, add }).finally(folder.remove);
if (values.json) console.log(JSON.stringify({ bench: name, figures }));
else {
  for (const { name: figure, value, unit, target } of figures) {
    const met =
      target === undefined
        ? ""
        : (target.is === "at least" ? value >= target.value : value <= target.value)
          ? "met"
          : "not met";
    console.log(
      `${figure.padEnd(64)} ${String(value).padStart(10)} ${unit.padEnd(10)} ${target === undefined ? "" : `${target.is} ${target.value}`.padEnd(18)} ${met}`,
    );
  }
}
