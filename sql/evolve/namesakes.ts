/**
 * Namesakes: new columns that a SELECT over their source could take for something that it says already.
 *
 *   SELECT v.id, town FROM ods.visit AS v LEFT JOIN dim.place …      a column `town` of the source: another town
 *
 * A change by hand is its author's to judge. A change that producers bring about
 * must not change what a model or an API means, so such names are not added. It is
 * rather too strict: an alias, which would go first, counts too. Pure.
 *
 * @module
 */
import { meaning, tokenize } from "../definition/tokens.ts";

/** Names that a definition's SELECT says by themselves, neither behind a point nor as a function. */
export function bareNames(text: string): ReadonlySet<string> {
  const tokens = tokenize(text);
  return new Set(
    tokens.flatMap((token, index) => {
      const isName = token.kind === "word" || token.kind === "quoted";
      const isBare = tokens[index - 1]?.text !== "." && tokens[index + 1]?.text !== "(";
      return isName && isBare ? [meaning(token)] : [];
    }),
  );
}
