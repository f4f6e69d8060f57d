/**
 * Tests of the judge over trees as the engine prints them; `tests/gateway_sql_test.ts` asks a real one.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readAst } from "./ast.ts";
import { judgeAst } from "./judge.ts";
import { KNOWN_FUNCTIONS, KnownFunctions } from "./known_functions.ts";
import { judgeTree } from "./tree.ts";

const lines = (text: string) => text.split("\n").filter((line) => line !== "");
const rules = {
  mayRead: ({ database, name }: { database: string; name: string }) => `${database}.${name}` === "dws.hour",
  ownFunctions: new Set(["own"]),
};

/** `SELECT <expression> FROM <table>` as the engine prints it, `expression` indented from nothing. */
function select(expression: string, table?: string): string[] {
  const inner = lines(expression).map((line) => `    ${line}`);
  const from = [`   TablesInSelectQuery (children 1)`, `    TablesInSelectQueryElement (children 1)`];
  const tables = table === undefined ? [] : [...from, `     TableExpression (children 1)`, `      ${table}`];
  const count = lines(expression).filter((line) => !line.startsWith(" ")).length;
  return [
    "SelectWithUnionQuery (children 1)",
    " ExpressionList (children 1)",
    `  SelectQuery (children ${table === undefined ? 1 : 2})`,
    `   ExpressionList (children ${count})`,
    ...inner,
    ...tables,
  ];
}

const call = (name: string, ...args: string[]) =>
  [
    `Function ${name} (children 1)`,
    ` ExpressionList${args.length > 0 ? ` (children ${args.length})` : ""}`,
    ...args.map((one) => `  ${one}`),
  ].join("\n");

describe("readAst()", () => {
  test("reads kinds, names, aliases and children", () => {
    const nodes = readAst(select(call("count (x) (alias n)"), "TableIdentifier dws.hour (alias h)"))!;
    const found = nodes.map(({ kind, name, alias }) => [kind, name, alias] as const);
    expect(found).toContainEqual(["TableIdentifier", "dws.hour", "h"]);
    expect(nodes.map(({ kind }) => kind).slice(0, 3)).toEqual([
      "SelectWithUnionQuery",
      "ExpressionList",
      "SelectQuery",
    ]);
  });

  test.each([
    ["a child too many", "Identifier a\nLiteral 5", 1],
    ["a forged node at the same depth", "Identifier x\n    Function file (children 0)", 1],
    ["a forged node that takes a child", "Identifier x\n   ExpressionList (children 1)\n    Identifier y", 2],
    ["a second root", "Identifier x\nSelectWithUnionQuery", 1],
    ["the rest of a name", "Literal 5 (alias y\nz)", 1],
    ["nothing", "", 1],
  ])("refuses %s", (_, text, count) => {
    const head = ["SelectWithUnionQuery (children 1)", ` ExpressionList (children ${count})`];
    expect(readAst([...head, ...lines(text).map((line, index) => (index === 0 ? `  ${line}` : line))])).toBeUndefined();
  });

  test("reads long lines at once", () => {
    const from = performance.now();
    for (const part of [" (alias x", " (children 1", " (alias x) (children 1)", "'", " "]) {
      readAst([`Literal '${part.repeat(2 ** 20 / part.length)}`]);
      readAst([`Identifier ${part.repeat(2 ** 20 / part.length)}`]);
    }
    expect(performance.now() - from).toBeLessThan(1_000);
  });
});

describe("judgeAst()", () => {
  test.each([
    ["a number", select("Literal UInt64_1"), "passed"],
    ["an allowed function", select(call("sumIfOrNull", "Identifier a", "Identifier b")), "passed"],
    ["a function of a definition", select(call("own", "Identifier a")), "passed"],
    ["a table of the scope", select("Asterisk", "TableIdentifier dws.hour"), "passed"],
    ["a table without a layer", select("Asterisk", "TableIdentifier hour"), "unseen"],
    ["an unknown function", select(call("nosuch")), "unknown"],
    ["a denied function", select(call("hostName")), "refused"],
    ["a denied function in other letters", select(call("VERSION")), "refused"],
    ["another table", select("Asterisk", "TableIdentifier dws.day"), "refused"],
    ["a table of the engine", select("Asterisk", "TableIdentifier system.tables"), "refused"],
    ["a table of three parts", select("Asterisk", "TableIdentifier dws.hour.x"), "refused"],
    [
      "a table function",
      select(
        "Asterisk",
        "Function url (children 1)\n       ExpressionList".split("\n")[0]!.replace(" (children 1)", ""),
      ),
      "refused",
    ],
    ["an allowed table function", select("Asterisk", "Function numbers"), "passed"],
    ["settings", [...select("Literal UInt64_1").slice(0, 2), "  SelectQuery (children 1)", "   Set"], "refused"],
    ["a format", ["SelectWithUnionQuery (children 2)", " ExpressionList", " Identifier CSV"], "refused"],
    ["another statement", ["ShowTables"], "refused"],
    ["a kind that nobody knows", select("SomethingNew"), "refused"],
    ["a function by its name alone", select("Identifier user"), "refused"],
    ["a function as an argument", select(call("arrayMap", "Identifier hostName", "Identifier a")), "refused"],
    ["a column as an argument", select(call("upper", "Identifier version")), "passed"],
    ["a table behind IN", select(call("in", "Identifier a", "Identifier dws.day")), "refused"],
    ["a table of the scope behind IN", select(call("globalNotIn", "Identifier a", "Identifier dws.hour")), "passed"],
    ["a name behind IN", select(call("in", "Identifier a", "Identifier ids")), "unseen"],
    [
      "an alias behind IN",
      select(`Literal Array_[UInt64_1] (alias ids)\n${call("in", "Identifier a", "Identifier ids")}`),
      "passed",
    ],
    ["a dictionary of the scope", select(call("dictGet", "Literal 'dws.hour'")), "passed"],
    ["another dictionary", select(call("dictGet", "Literal 'dim.airport'")), "refused"],
    ["a dictionary that is computed", select(call("dictHas", "Identifier a")), "refused"],
    ["an aggregate by its name", select(call("arrayReduce", "Literal 'quantile(0.5)'")), "passed"],
    ["a denied aggregate by its name", select(call("arrayReduce", "Literal 'flameGraph'")), "refused"],
  ] as const)("says of %s what it is", (_, text, verdict) => {
    expect(judgeAst(text, rules).verdict).toBe(verdict);
  });
});

describe("judgeTree()", () => {
  const unseen = { verdict: "unseen", applies: 0, tables: 0 } as const;
  const tree = (text: string, more: object = {}) =>
    judgeTree(lines(text), { unseen: { ...unseen, ...more }, ownFunctions: new Set(["own"]) }).verdict;
  const cte = (name: string, inside: string, flags = "is_cte: 1") => `QUERY id: 0
  WITH
    LIST id: 1, nodes: 1
      QUERY id: 2, is_subquery: 1, ${flags}, cte_name: ${name}
        JOIN TREE
          IDENTIFIER id: 3, identifier: ${inside}
  JOIN TREE
    IDENTIFIER id: 4, identifier: x`;
  const apply = (inside: string) => `QUERY id: 0\n  APPLY COLUMN TRANSFORMER id: 1, apply_transformer_type: ${inside}`;

  test.each([
    ["a name of WITH", cte("x", "system.one"), "passed"],
    ["a name that nothing gives", cte("y", "system.one"), "refused"],
    ["a name within itself", cte("x", "x"), "refused"],
    ["a recursive name within itself", cte("x", "x", "is_cte: 1, is_recursive_cte: 1"), "passed"],
    ["a name that gives another", cte("y, cte_name: x", "system.one"), "refused"],
    ["numbers that do not follow", cte("x", "system.one").replace("id: 4", "id: 3"), "refused"],
    [
      "an allowed function in APPLY",
      apply("FUNCTION\n    EXPRESSION\n      FUNCTION id: 2, function_name: toString"),
      "passed",
    ],
    ["an own function in APPLY", apply("FUNCTION\n    EXPRESSION\n      FUNCTION id: 2, function_name: own"), "passed"],
    [
      "a denied function in APPLY",
      apply("FUNCTION\n    EXPRESSION\n      FUNCTION id: 2, function_name: file"),
      "refused",
    ],
    [
      "a dictionary's function in APPLY",
      apply("FUNCTION\n    EXPRESSION\n      FUNCTION id: 2, function_name: dictGet"),
      "refused",
    ],
    ["a lambda in APPLY", apply("LAMBDA\n    EXPRESSION\n      LAMBDA id: 2"), "refused"],
  ])("says of %s what it is", (_, text, verdict) => expect(tree(text)).toBe(verdict as never));

  const sorted = (heading: string, node: string) => `QUERY id: 0
  ORDER BY
    LIST id: 1, nodes: 1
      SORT id: 2, sort_direction: ASCENDING, with_fill: 0
        ${heading}
          IDENTIFIER id: 3, ${node}
  GROUP BY
    LIST id: 4, nodes: 0

  LIMIT
    CONSTANT id: 5, constant_value: UInt64_1`;

  test.each([
    ["a name in ORDER BY", sorted("EXPRESSION h.day", "identifier: h.day"), "passed"],
    ["an alias in ORDER BY", sorted("EXPRESSION d", "alias: d, identifier: day"), "passed"],
    ["an expression in ORDER BY", sorted("EXPRESSION", "identifier: day"), "passed"],
    ["a name in ORDER BY that is told twice", sorted("EXPRESSION a", "identifier: b"), "refused"],
    ["a name in ORDER BY that goes on", sorted("EXPRESSION a\n    JOIN TREE", "identifier: a"), "refused"],
    ["a name in ORDER BY that gives an alias", sorted("EXPRESSION a, alias: b", "identifier: a, alias: b"), "refused"],
    ["two aliases", sorted("EXPRESSION a", "alias: a, alias: b, identifier: a"), "refused"],
    ["a name where nothing sorts", sorted("", "identifier: a").replace("LIMIT", "EXPRESSION a"), "refused"],
    ["a second root", sorted("EXPRESSION a", "identifier: a").replace("  LIMIT", "LIMIT"), "refused"],
    ["an empty line behind a list", sorted("EXPRESSION a", "identifier: a").replace("nodes: 0", "nodes: 1"), "refused"],
    ["a replacement", `${sorted("EXPRESSION a", "identifier: a")}\n  REPLACEMENT NAME a EXPRESSION`, "passed"],
    ["an odd replacement", `${sorted("EXPRESSION a", "identifier: a")}\n  REPLACEMENT NAME a, b EXPRESSION`, "refused"],
  ])("says of %s whether its lines are plain", (_, text, verdict) => {
    const judged = judgeTree(text.split("\n"), { unseen, ownFunctions: new Set() });
    expect(judged.verdict).toBe(verdict as never);
  });

  test("refuses what shows less than the AST", () => {
    expect(tree(cte("x", "system.one"), { tables: 1 })).toBe("passed");
    expect(tree(cte("x", "system.one"), { tables: 2 })).toBe("refused");
    expect(tree(cte("x", "system.one"), { applies: 1 })).toBe("refused");
  });
});

describe("KnownFunctions", () => {
  const known = new KnownFunctions(
    "# x\n[allow]\nsum/a upper/i\n[deny: why]\nfile\n[combinators]\nIf State\n[table allow]\nnumbers\n",
  );

  test.each([
    ["sum", "allow"],
    ["sumIf", "allow"],
    ["sumStateIf", "allow"],
    ["UPPER", "allow"],
    ["SUM", undefined],
    ["upperIf", undefined],
    ["file", "deny"],
    ["FILE", undefined],
    ["numbers", undefined],
    ["constructor", undefined],
    ["If".repeat(500_000), undefined],
  ] as const)("%.20s is %s", (name, verdict) => expect(known.rule(name)?.verdict).toBe(verdict as never));

  test("has no name twice, and a reason for each refusal", () => {
    for (const rule of [...KNOWN_FUNCTIONS.functions.values(), ...KNOWN_FUNCTIONS.tables.values()]) {
      expect(rule.verdict === "deny").toBe(rule.reason !== "");
    }
    expect(KNOWN_FUNCTIONS.functions.size).toBeGreaterThan(1_800);
  });
});
