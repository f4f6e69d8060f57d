/**
 * Known functions: what a caller who is not trusted may call, name by name.
 *
 *   functions.txt (reviewed) ──▶ KNOWN_FUNCTIONS.rule("sumIf") ──▶ allow · deny, with a reason · undefined: refused too
 *
 * The list holds every name of the engine's build; a test fails when the engine knows one more.
 *
 * @module
 */
import text from "./functions.txt" with { type: "text" };

/** What the list says of a name. */
export interface FunctionRule {
  /** `dictionary`, `aggregate`: allowed, but the first argument names a dictionary or an aggregate function, which is judged. */
  readonly verdict: "allow" | "deny" | "dictionary" | "aggregate";
  /** Why it is refused; empty for what is allowed. */
  readonly reason: string;
  readonly isAggregate: boolean;
  readonly isAnyCase: boolean;
  /** Whether its name alone calls it, where no column has that name. */
  readonly isBare: boolean;
  /** Whether a bare name among its arguments can be a function. */
  readonly takesFunctions: boolean;
}

/** No name of a function is longer, with all its combinators. */
const NAME_CHARS_MAX = 200;

/** The reviewed list. */
export class KnownFunctions {
  /** By exact name. */
  readonly functions = new Map<string, FunctionRule>();
  readonly tables = new Map<string, FunctionRule>();
  /** Endings of aggregate functions, for example `If`. */
  readonly combinators: readonly string[];
  readonly #anyCase = new Map<string, FunctionRule>();
  /** Refused in any case of their letters, to be told from columns. */
  readonly #special = new Set<string>();

  constructor(list: string) {
    const combinators: string[] = [];
    for (const { title, names } of sectionsOf(list)) {
      if (title === "combinators") combinators.push(...names);
      else for (const name of names) this.#add(title, name);
    }
    this.combinators = combinators;
  }

  #add(title: string, entry: string): void {
    const [name, flags = ""] = entry.split("/") as [string, string?];
    const isTable = title.startsWith("table ");
    const section = isTable ? title.slice("table ".length) : title;
    const reason = /^deny: (.*)$/.exec(section)?.[1] ?? "";
    const verdict = { dictionary: "dictionary", "aggregate by name": "aggregate" } as const;
    const rule: FunctionRule = {
      verdict: reason === "" ? (verdict[section as keyof typeof verdict] ?? "allow") : "deny",
      reason,
      isAggregate: flags.includes("a"),
      isAnyCase: flags.includes("i"),
      isBare: flags.includes("b"),
      takesFunctions: flags.includes("h"),
    };
    (isTable ? this.tables : this.functions).set(name, rule);
    if (isTable) return;
    if (rule.isAnyCase) this.#anyCase.set(name.toLowerCase(), rule);
    if (rule.verdict !== "allow") this.#special.add(name.toLowerCase());
  }

  /** The rule of a function; of an aggregate with combinators, that of the aggregate. */
  rule(name: string): FunctionRule | undefined {
    const known = this.functions.get(name) ?? this.#anyCase.get(name.toLowerCase());
    if (known !== undefined) return known;
    const aggregate = this.#withoutCombinator(name);
    return aggregate?.isAggregate ? aggregate : undefined;
  }

  #withoutCombinator(name: string): FunctionRule | undefined {
    if (name.length > NAME_CHARS_MAX) return undefined;
    const ending = this.combinators
      .filter((one) => name.length > one.length && name.endsWith(one))
      .sort((a, b) => b.length - a.length);
    for (const one of ending) {
      const rule = this.rule(name.slice(0, -one.length));
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  /** Whether a bare name could call something that may not be called like that. */
  isSpecial(name: string): boolean {
    return this.#special.has(name.toLowerCase());
  }
}

/** `[title]`, then names; `#` begins a comment. */
function* sectionsOf(list: string): Generator<{ readonly title: string; readonly names: readonly string[] }> {
  for (const part of list.replaceAll(/^#.*$/gm, "").split(/^\[/m).slice(1)) {
    const end = part.indexOf("]");
    yield {
      title: part.slice(0, end),
      names: part
        .slice(end + 1)
        .split(/\s+/)
        .filter(Boolean),
    };
  }
}

/** The list of this build. */
export const KNOWN_FUNCTIONS = new KnownFunctions(text);
