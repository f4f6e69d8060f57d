/**
 * The option `dedupe` of a source: `dedupe: { by: flight_id, within: 1 hour }`.
 *
 * Repeats are known within one partition, so `by` is what chooses it: the key.
 * Only types whose equal values have one text can say that two events are the
 * same; a time, for one, can be written in many ways.
 *
 * @module
 */
import { z } from "zod";
import type { Column } from "../source.ts";
import { duration } from "./duration.ts";

/** The shortest and the longest time for which a stored event is remembered. */
const WITHIN_MS_MIN = 1_000;
const WITHIN_MS_MAX = 7 * 86_400_000;

/** What front matter may say of repeats. */
export const dedupeOption = z
  .strictObject({
    by: z.string().describe("The column that is the same when a producer sends an event again; it becomes the key."),
    within: duration
      .prefault("1 day")
      .refine((ms) => ms >= WITHIN_MS_MIN && ms <= WITHIN_MS_MAX, "Write a span from 1 s to 7 days")
      .describe("How much later than the stored event a repeat is still dropped."),
  })
  .describe("Drop events that were stored before: `{ by: <column>, within: <span> }`.");

const EXACT_TYPE = /^(?:LowCardinality\()?(?:String|FixedString|U?Int\d+|UUID|Decimal|Enum)/;

/** What is wrong with `dedupe.by`, and what to write instead; undefined if nothing is. */
export function dedupeProblem(
  { key, dedupe }: { readonly key?: string | undefined; readonly dedupe?: { readonly by: string } | undefined },
  columns: readonly Column[],
): readonly [problem: string, hint: string] | undefined {
  if (dedupe === undefined) return undefined;
  const cannot = (state: string) => `Cannot use '${dedupe.by.slice(0, 100)}' as dedupe.by: ${state}.`;
  const column = columns.find(({ name }) => name === dedupe.by);
  if (column === undefined)
    return [cannot("there is no such column"), `Name one of: ${columns.map(({ name }) => name).join(", ")}.`];
  if (key !== undefined && key !== dedupe.by)
    return [
      cannot(`the key is '${key.slice(0, 100)}', so its repeats may lie in any partition`),
      `Write \`key: ${dedupe.by}\`, or leave \`key\` out: it is then the same column.`,
    ];
  if (!EXACT_TYPE.test(column.type))
    return [
      cannot(`its type is ${column.type}`),
      "Name a String, integer, UUID, Decimal or Enum column that is not Nullable.",
    ];
  return undefined;
}
