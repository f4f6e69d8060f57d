/**
 * A fold over a fold: only what distributes over fragments of groups.
 *
 * A view above a folded table sees what each insert adds to it, never a whole
 * group: `sum` of sums, `min` of minima and `max` of maxima are right all the
 * same, and so is what counts a key only once.
 *
 * @module
 */
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { identifier, meaning, type Token } from "../definition/tokens.ts";
import type { FoldShape } from "./model.ts";
import { type Edit, isName, isSymbol, splitAtCommas, usesOf } from "./splice.ts";
import type { State } from "./state.ts";

/** Aggregates for which a value seen twice is seen once. */
const IDEMPOTENT = /^(min|max|uniq\w*|groupBitAnd|groupBitOr|groupUniqArray)(If)?$/;

/** Edits that make an aggregate over finished columns one over the lower model's states; throws if it does not distribute. */
export function overFold(
  draft: ModelDraft,
  about: {
    readonly state: State;
    readonly lower: { readonly name: string; readonly shape: FoldShape };
    readonly table: string | undefined;
  },
): Edit[] {
  const { state, lower, table } = about;
  const { call, resolved } = state;
  const [first, ...others] = splitAtCommas(call.arguments);
  const rest = [...others.flat(), ...call.filter];
  const column = first === undefined ? undefined : columnOf(first, table);
  const isKey = (name: string) => lower.shape.keys.some((key) => key.name === name);
  const sum = lower.shape.sums.find((one) => one.name === column);
  const usesSums = (tokens: readonly Token[]) =>
    lower.shape.sums.some((one) => !isKey(one.name) && usesOf(tokens, one.name).length > 0);
  const merges = resolved.replace(/If$/, "");
  const distributes = sum !== undefined && sum.merge === merges && !call.isDistinct && !usesSums(rest);
  if (distributes && first !== undefined)
    return [{ start: first[0].start, end: first.at(-1)?.end ?? 0, text: identifier(sum.state) }];
  const overKeys = first !== undefined && !usesSums([...call.arguments, ...call.filter]);
  if (overKeys && IDEMPOTENT.test(resolved)) return [];
  const problem = `${call.name} over ${lower.name} is not the same over the fragments that a view sees`;
  const can = lower.shape.sums.map((one) => `${one.merge}(${one.name})`).join(", ");
  const hint = `Use ${can || "its keys"}, read what ${lower.name} reads, or compute it on a schedule with refresh: { every: 1 hour }.`;
  throw modelError(draft, call.tokens[0], problem, hint);
}

/** The column that an argument is, without its table's name. */
function columnOf(tokens: readonly Token[], table: string | undefined): string | undefined {
  const [first, dot, last] = tokens;
  if (tokens.length === 1 && isName(first)) return meaning(first);
  const isQualified = tokens.length === 3 && isName(first) && isSymbol(dot, ".") && isName(last);
  return isQualified && meaning(first) === table ? meaning(last) : undefined;
}
