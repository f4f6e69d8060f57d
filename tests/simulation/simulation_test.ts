/**
 * The simulation as a test: many seeds hold the promise, and no rule of the protocol can be taken out unnoticed.
 *
 *   seeds ──a share for each core──▶ main.ts … ──▶ all hold      mutation ──mutate.ts──▶ main.ts ──▶ one fails
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { MUTATIONS } from "./mutations.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const FIRST = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));
/** Seeds in all; more where there is time. */
const SEEDS = Number(process.env.WEIR_SIMULATION_SEEDS ?? 200);
/** What a seed may take where a core has a lot else to do. */
const SEED_MS_MAX = 200;
/** Seeds that a mutation may survive at most. */
const MUTANT_SEEDS = 3_000;

interface Simulated {
  readonly failed: boolean;
  readonly output: string;
}

async function simulate(options: { first: number; seeds: number; mutation?: number }): Promise<Simulated> {
  const preload = options.mutation === undefined ? [] : ["--preload", `${FOLDER}mutate.ts`];
  const child = Bun.spawn(
    [process.execPath, ...preload, `${FOLDER}main.ts`, String(options.first), String(options.seeds)],
    {
      env: { ...process.env, WEIR_MUTATION: String(options.mutation ?? "") },
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const status = await child.exited;
  if (status !== 0 && !stdout.includes("seed ")) throw new Error(`The simulation did not run: ${stderr}`);
  return { failed: status !== 0, output: stdout };
}

/** All seeds, in as many processes as there are cores. */
function simulateAll(): Promise<readonly Simulated[]> {
  const processes = Math.min(availableParallelism(), SEEDS);
  const begin = (process: number) => Math.floor((SEEDS * process) / processes);
  return Promise.all(
    Array.from({ length: processes }, (_, process) =>
      simulate({ first: FIRST + begin(process), seeds: begin(process + 1) - begin(process) }),
    ),
  );
}

describe("the exactly-once protocol", () => {
  test(
    `holds its promise for ${SEEDS} seeds from ${FIRST} (WEIR_SEED)`,
    async () => {
      const runs = await simulateAll();
      for (const { output } of runs) console.log(output.trim().split("\n").at(-1));
      expect(runs.flatMap(({ failed, output }) => (failed ? [output] : []))).toEqual([]);
    },
    60_000 + SEEDS * SEED_MS_MAX,
  );

  test.each(MUTATIONS.map(({ rule, seed = 1 }, index) => [rule, seed, index] as const))(
    "is noticed to lack rule %s",
    async (rule, first, mutation) => {
      const { failed } = await simulate({ first, seeds: MUTANT_SEEDS, mutation });
      expect(failed, `no seed failed without rule ${rule}`).toBe(true);
    },
    120_000,
  );
});
