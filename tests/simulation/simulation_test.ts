/**
 * The simulation as a test: many seeds hold the promise, and no rule of the protocol can be taken out unnoticed.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { MUTATIONS } from "./mutations.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const FIRST = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));
const SEEDS = Number(process.env.WEIR_SIMULATION_SEEDS ?? 200);
/** Seeds that a mutation may survive at most. */
const MUTANT_SEEDS = 400;

async function simulate(options: {
  first: number;
  seeds: number;
  mutation?: number;
}): Promise<{ failed: boolean; output: string }> {
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

describe("the exactly-once protocol", () => {
  test(`holds its promise for ${SEEDS} seeds from ${FIRST} (WEIR_SEED)`, async () => {
    const { failed, output } = await simulate({ first: FIRST, seeds: SEEDS });
    console.log(output.trim().split("\n").at(-1));
    expect(failed, output).toBe(false);
  }, 120_000);

  test.each(MUTATIONS.map((mutation, index) => [mutation.rule, index] as const))(
    "is noticed to lack rule %s",
    async (rule, mutation) => {
      const { failed } = await simulate({ first: 1, seeds: MUTANT_SEEDS, mutation });
      expect(failed, `no seed failed without rule ${rule}`).toBe(true);
    },
    120_000,
  );
});
