/**
 * Runs the simulation over a range of seeds and says what it found.
 *
 *     bun tests/simulation/main.ts <first seed> <seeds> [--all]
 *
 * Ends with status 1 at the first seed whose audit fails (with --all after the last one).
 *
 * @module
 */
import { run } from "./scenario.ts";

const [first = "1", count = "1000", all] = process.argv.slice(2);
const startedMs = performance.now();
let records = 0;
let failed = 0;
let seeds = 0;
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const outcome = run(seed);
  seeds += 1;
  records += outcome.records;
  if (outcome.problems.length === 0) continue;
  failed += 1;
  console.log(`seed ${seed}:\n  ${outcome.problems.slice(0, 10).join("\n  ")}`);
  if (all !== "--all") break;
}
const seconds = (performance.now() - startedMs) / 1000;
console.log(
  `${seeds} seeds, ${records} records, ${failed} failed, ${Math.round((seeds / seconds) * 60)} seeds a minute`,
);
process.exitCode = failed === 0 ? 0 : 1;
