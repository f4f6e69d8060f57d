/**
 * Group keys: what GROUP BY means, as columns of the state table, and where the SELECT list says the same again.
 *
 *   GROUP BY minute, 2, upper(s), ALL ──▶ keys: column, expression, the ways in which the text writes it
 *
 * An alias shadows a column of the same name everywhere but in its own
 * expression; keys follow that.
 *
 * @module
 */
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { identifier, meaning, type Token, tokenize } from "../definition/tokens.ts";
import type { Clauses, Named } from "./clauses.ts";
import { canonical, closing, type Edit, isName, isSymbol, isWord, splitAtCommas, usesOf } from "./splice.ts";

/** One group key. */
export interface Key {
  /** Its column in the state table. */
  readonly column: string;
  /** What it is computed from. */
  readonly expression: readonly Token[];
  /** The item of the SELECT list that is exactly this key. */
  readonly item: Named | undefined;
  /** The scalar of WITH that is this key. */
  readonly scalar: string | undefined;
  /** Texts that mean it wherever they stand, as tokens. */
  readonly patterns: readonly (readonly Token[])[];
}

interface Keying {
  /** Names keys which the SELECT list does not show. */
  readonly hiddenName: (index: number) => string;
  /** The name by which the text may qualify columns; undefined beside a JOIN. */
  readonly table: string | undefined;
}

/** Resolves GROUP BY. */
export function resolveKeys(
  draft: ModelDraft,
  clauses: Clauses,
  is: Keying & { readonly aggregated: ReadonlySet<string> },
): Key[] {
  const parts = splitAtCommas(clauses.groupBy);
  const isAll = parts.length === 1 && parts[0].length === 1 && isWord(parts[0][0], "ALL");
  const plain = clauses.select.filter((item) => !is.aggregated.has(item.name));
  const keys = isAll
    ? plain.map((item) => itemKey(item, item.expression))
    : parts.map((part, index) =>
        keyOf(draft, unwrapped(part), { clauses, table: is.table, hidden: is.hiddenName(index + 1) }),
      );
  const seen = new Set<string>();
  return keys
    .filter(({ column }) => !seen.has(column) && seen.add(column))
    .map((key) => ({ ...key, patterns: key.patterns.flatMap((pattern) => spellings(pattern, is.table)) }));
}

/** A key without brackets around the whole of it. */
function unwrapped(part: readonly Token[]): readonly Token[] {
  const isWrapped = isSymbol(part[0], "(") && closing(part, 0) === part.length - 1;
  const inside = part.slice(1, -1);
  return isWrapped && inside.length > 0 && splitAtCommas(inside).length === 1 ? unwrapped(inside) : part;
}

/** A column with and without its table's name. */
function spellings(pattern: readonly Token[], table: string | undefined): (readonly Token[])[] {
  if (table === undefined) return [pattern];
  const [first, , last] = pattern;
  if (pattern.length === 1 && isName(first))
    return [pattern, tokenize(`${identifier(table)}.${identifier(meaning(first))}`)];
  return pattern.length === 3 && isColumnOf(pattern, table) ? [pattern, [last]] : [pattern];
}

function isColumnOf([first, dot, last]: readonly Token[], table: string): boolean {
  return isName(first) && meaning(first) === table && isSymbol(dot, ".") && isName(last);
}

function keyOf(
  draft: ModelDraft,
  part: readonly Token[],
  about: { clauses: Clauses; table: string | undefined; hidden: string },
): Key {
  const { select, with: scalars } = about.clauses;
  const [first] = part;
  if (isSymbol(first, "(") && splitAtCommas(part.slice(1, -1)).length > 1 && closing(part, 0) === part.length - 1)
    throw modelError(draft, first, "its group keys stand in brackets", "Write them without brackets.");
  if (part.length === 1 && first.kind === "number" && /^\d+$/.test(first.text)) {
    const item = select[Number(first.text) - 1];
    if (item === undefined) throw modelError(draft, first, `there is no column ${first.text}`, "Name the key.");
    return itemKey(item, item.expression);
  }
  const name = part.length === 1 && isName(first) ? meaning(first) : undefined;
  const same = (one: Named) =>
    spellings(part, about.table).some((spelling) => canonical(one.expression) === canonical(spelling));
  const item = select.find((one) => one.name === name) ?? select.find(same);
  if (item !== undefined) return itemKey(item, part);
  const isScalar = scalars.some((one) => one.name === name);
  const column = name ?? about.hidden;
  return { column, expression: part, item: undefined, scalar: isScalar ? name : undefined, patterns: [part] };
}

function itemKey(item: Named, written: readonly Token[]): Key {
  const { name, expression } = item;
  const isPlain = expression.length === 1 && isName(expression[0]);
  const scalar = isPlain && meaning(expression[0]) !== name ? meaning(expression[0]) : undefined;
  // Where an expression uses a column of its own alias's name, the same text elsewhere means the alias.
  const isShadowed = usesOf(expression, name).length > 0 && !isPlain;
  const patterns = [...(isShadowed ? [] : [expression]), ...(written === expression ? [] : [written])];
  return { column: name, expression, item, scalar, patterns };
}

/** Edits that put the key's column wherever the text writes the key. */
export function keyEdits(tokens: readonly Token[], keys: readonly Key[]): Edit[] {
  return keys.flatMap(({ patterns, column }) =>
    patterns.flatMap((pattern) =>
      tokens.flatMap((token, index): Edit[] => {
        const last = index + pattern.length - 1;
        const isThere = last < tokens.length && stands(tokens, pattern, index);
        return isThere ? [{ start: token.start, end: tokens[last].end, text: identifier(column) }] : [];
      }),
    ),
  );
}

/** Whether a pattern stands at an index as an operand of its own. */
function stands(tokens: readonly Token[], pattern: readonly Token[], index: number): boolean {
  const slice = tokens.slice(index, index + pattern.length);
  if (canonical(slice) !== canonical(pattern)) return false;
  const [before, after] = [tokens[index - 1], tokens[index + pattern.length]];
  if (isSymbol(before, ".")) return false;
  const isPath = pattern.every((token, at) => (at % 2 === 0 ? isName(token) : isSymbol(token, ".")));
  if (isPath) return !isSymbol(after, "(") && !isSymbol(after, ".") && !isWord(before, "AS");
  const isCall = isName(pattern[0]) && isSymbol(pattern[1], "(") && closing(pattern, 1) === pattern.length - 1;
  if (isCall) return !isSymbol(after, "(");
  const opens = before === undefined || isSymbol(before, "(") || isSymbol(before, ",");
  return opens && (after === undefined || isSymbol(after, ")") || isSymbol(after, ","));
}
