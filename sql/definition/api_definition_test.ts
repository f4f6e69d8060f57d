/**
 * APIs: what a file becomes, and what every mistake is answered with.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readApi } from "./api_definition.ts";
import { DefinitionError } from "./error.ts";

const textOf = (sql: string, params = "{}") => `/*---\nkind: api\ndoc: Flights.\nparams: ${params}\n---*/\n${sql}`;
const read = (sql: string, params?: string, file = "api/flights.sql") => readApi(file, textOf(sql, params));

/** What went wrong: `line:column problem → hint`. */
function wrong(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return `${error.line}:${error.column} ${error.problem.replace("Cannot use this API: ", "")} → ${error.hint}`;
  }
  return "nothing";
}

describe("readApi()", () => {
  test("reads what the design shows", () => {
    const sql =
      "SELECT minute, flights FROM dwa.state_minute\nWHERE state = {state:String} ORDER BY minute DESC LIMIT {limit:UInt32};\n";
    expect(read(sql, "{ limit: { default: 60, max: 1440, doc: rows at most } }")).toEqual({
      kind: "api",
      id: "flights",
      doc: "Flights.",
      sql: sql.trim().slice(0, -1),
      reads: ["dwa.state_minute"],
      asksClock: false,
      params: [
        {
          name: "state",
          type: "String",
          required: true,
          default: undefined,
          min: undefined,
          max: undefined,
          values: undefined,
          doc: "",
        },
        {
          name: "limit",
          type: "UInt32",
          required: false,
          default: ["60"],
          min: undefined,
          max: "1440",
          values: undefined,
          doc: "rows at most",
        },
      ],
    });
  });

  test.each([
    [
      "a comma, a join and IN",
      "SELECT 1 FROM dwf.a, dim.b JOIN dws.c USING x WHERE y IN dwa.d",
      "dim.b dwa.d dwf.a dws.c",
    ],
    ["quoted names", 'SELECT 1 FROM `dwf`."a"', "dwf.a"],
    [
      "a SELECT within",
      "SELECT (SELECT max(x) FROM dwf.a) FROM (SELECT 1 FROM dws.b) AS t, dwa.c",
      "dwa.c dwf.a dws.b",
    ],
    ["WITH's own names", "WITH t AS (SELECT 1 FROM dwf.a) SELECT * FROM t", "dwf.a"],
    [
      "dictionaries",
      "SELECT dictGet('dim.airport', 'name', x), dictGetOrNull('dim.b', 'c', 1) FROM dwf.a",
      "dim.airport dim.b dwf.a",
    ],
    ["table functions", "SELECT number FROM numbers(10)", ""],
    ["functions with FROM", "SELECT EXTRACT(YEAR FROM d), trim(BOTH ' ' FROM s) FROM dwf.a", "dwf.a"],
    ["FROM in strings and comments", "SELECT 'FROM x' /* FROM y */ FROM dwf.a -- FROM z", "dwf.a"],
    ["a list of columns", "SELECT a, b FROM dwf.a ORDER BY c, d", "dwf.a"],
    ["no table", "SELECT 1", ""],
  ])("finds the tables behind %s", (_, sql, tables) => {
    expect(read(sql).reads.join(" ")).toBe(tables);
  });

  test.each([
    ["a column called format", "SELECT format, f AS settings FROM dwf.a WHERE a = format AND b"],
    ["a column called file", "SELECT t.file, 1 AS file FROM dwf.a AS t"],
    ["a map", "SELECT {'a': 1}"],
    ["a heredoc", "SELECT $a$ FROM x $a$"],
    ["several brackets", "(SELECT 1) UNION ALL (SELECT 2)"],
    ["semicolons", "SELECT 1 ;;"],
  ])("takes %s", (_, sql) => {
    expect(wrong(() => read(sql))).toBe("nothing");
  });

  test.each([
    ["nothing", "", "6:1 it is no SELECT. → Write one SELECT behind the front matter."],
    ["an INSERT", "INSERT INTO a VALUES (1)", "6:1 it is no SELECT. → Write one SELECT behind the front matter."],
    [
      "two statements",
      "SELECT 1;\n SELECT 2",
      "7:2 a second statement follows. → Write one SELECT; another API is another file.",
    ],
    ["FORMAT", "SELECT 1 FORMAT JSON", "6:10 it names its own FORMAT. → Leave FORMAT out: an API answers JSON."],
    [
      "FORMAT before SETTINGS",
      "SELECT 1 FORMAT JSON SETTINGS a = 1",
      "6:10 it names its own FORMAT. → Leave FORMAT out: an API answers JSON.",
    ],
    [
      "INTO OUTFILE",
      "SELECT 1 INTO OUTFILE 'x'",
      "6:10 it writes INTO OUTFILE. → Leave INTO OUTFILE out: an API answers its client.",
    ],
    [
      "SETTINGS",
      "SELECT 1 SETTINGS max_threads = 8",
      "6:10 it has SETTINGS. → Leave SETTINGS out: the door chooses them.",
    ],
    [
      "SETTINGS within",
      "SELECT 1 FROM (SELECT 2 SETTINGS x = 1)",
      "6:25 it has SETTINGS. → Leave SETTINGS out: the door chooses them.",
    ],
    [
      "file()",
      "SELECT file('x')",
      "6:8 the function `file` reads the machine's files. → A column of that name is written with its table: `t.file`.",
    ],
    [
      "`file` passed on",
      "SELECT arrayMap(`FILE`, [1])",
      "6:17 the function `file` reads the machine's files. → A column of that name is written with its table: `t.file`.",
    ],
    [
      "an open quote",
      "SELECT 'a",
      "6:8 a quote is not straight or not closed. → Write it in plain SQL: strings in straight quotes, comments with -- or /* */.",
    ],
    [
      "a variable",
      "SELECT $a",
      "6:8 '$' cannot stand there. → Write it in plain SQL: strings in straight quotes, comments with -- or /* */.",
    ],
    [
      "a comment within a comment",
      "SELECT /* a /* b */ c */ 1",
      "6:26 a comment stands within a comment. → Write it in plain SQL: strings in straight quotes, comments with -- or /* */.",
    ],
    [
      "a table without its layer",
      "SELECT 1\nFROM flight",
      "7:6 the table 'flight' has no layer. → Write it with its layer: ods.flight, dim.flight, dwf.flight, dws.flight, dwa.flight.",
    ],
    [
      "a table function that reads from elsewhere",
      "SELECT 1 FROM numbers(3) AS n\nJOIN url('http://127.0.0.1/x', 'TSV', 'a Int8') AS u ON 1",
      "7:6 it reads the table function 'url'. → Define a source or a dimension, and read that.",
    ],
  ])("refuses %s", (_, sql, expected) => {
    expect(wrong(() => read(sql))).toBe(expected);
  });

  test.each([
    [
      "another folder",
      "SELECT 1",
      "1:1 its file is not in the folder api/. → Put APIs into the folder api/.",
      "apis/a.sql",
    ],
    [
      "capitals",
      "SELECT 1",
      "1:1 'A' is not a usable name. → Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.",
      "api/A.sql",
    ],
  ])("refuses a file in %s", (_, sql, expected, file) => {
    expect(wrong(() => read(sql, undefined, file))).toBe(expected);
  });

  const X = "SELECT {x:UInt8}";
  const typed = (type: string) => `SELECT\n {x:${type}}`;
  test.each([
    [
      "that the SELECT does not name",
      X,
      "{ y: {} }",
      "4:11 the SELECT does not name the parameter 'y'. → Write {y:Type} in the SELECT, or take the option out. It names: x.",
    ],
    [
      "of a SELECT without any",
      "SELECT 1",
      "{ y: {} }",
      "4:11 the SELECT does not name the parameter 'y'. → Write {y:Type} in the SELECT, or take the option out. The SELECT has no parameter.",
    ],
    [
      "with two types",
      "SELECT {x:UInt8},\n {x:UInt16}",
      "{}",
      "7:5 the parameter 'x' is UInt16 here and UInt8 before. → Give it one type everywhere.",
    ],
    [
      "of the door's name",
      "SELECT {after:UInt8}",
      "{}",
      "6:8 the parameter's name 'after' is the door's own. → Use lower-case letters, digits and underscores; after, format and token are taken.",
    ],
    [
      "with capitals",
      "SELECT {aB:UInt8}",
      "{}",
      "6:8 the parameter's name 'aB' is not a usable name. → Use lower-case letters, digits and underscores; after, format and token are taken.",
    ],
    [
      "that is an Identifier",
      typed("Identifier"),
      "{}",
      "7:5 the parameter 'x' is an Identifier. → Write the name into the SELECT: what is read must not depend on who asks.",
    ],
    [
      "of an unknown type",
      typed("Number"),
      "{}",
      "7:5 the parameter 'x' has the type 'Number'. → Use an integer, Float, Decimal, Bool, String, Date, DateTime, UUID, IPv4, IPv6, Enum, Array, Map or Tuple, spelled as ClickHouse prints it.",
    ],
    [
      "that is a Map",
      typed("Map(String, String)"),
      "{}",
      "7:5 the parameter 'x' has the type 'Map(String, String)'. → Use an integer, Float, Decimal, Bool, String, Date, DateTime, UUID or Enum, or an Array of these, spelled as ClickHouse prints it.",
    ],
    [
      "that is an Array of Arrays",
      typed("Array(Array(UInt8))"),
      "{}",
      "7:5 the parameter 'x' has the type 'Array(Array(UInt8))'. → Use an integer, Float, Decimal, Bool, String, Date, DateTime, UUID or Enum, or an Array of these, spelled as ClickHouse prints it.",
    ],
    [
      "with a default out of range",
      X,
      "{ x: { default: 256 } }",
      "4:16 default '256' of 'x' is out of range for UInt8. → Write a value that a request could send.",
    ],
    [
      "with a default above max",
      X,
      "{ x: { default: 9, max: 8 } }",
      "4:16 default '9' of 'x' is above 8. → Write a value that a request could send.",
    ],
    [
      "with a default that is not allowed",
      X,
      "{ x: { default: 9, values: [1, 2] } }",
      "4:16 default '9' of 'x' is not one of the allowed values. → Write a value that a request could send.",
    ],
    [
      "with a default of the wrong kind",
      X,
      "{ x: { default: many } }",
      "4:16 default 'many' of 'x' is not a whole number. → Write a value that a request could send.",
    ],
    [
      "with an example above max",
      X,
      "{ x: { example: 9, max: 8 } }",
      "4:16 example '9' of 'x' is above 8. → Write a value that a request could send.",
    ],
    [
      "with an empty default",
      X,
      "{ x: { default: } }",
      "4:16 the default of 'x' is empty. → Write a value, or make the type Nullable.",
    ],
    [
      "with a list as default",
      X,
      "{ x: { default: [1] } }",
      "4:16 the default of 'x' is a list and its type UInt8. → Write one value.",
    ],
    [
      "with one value for an Array",
      typed("Array(UInt8)"),
      "{ x: { default: 1 } }",
      "4:16 the default of 'x' is one value and its type Array(UInt8). → Write a list, for example [1, 2].",
    ],
    [
      "with a min that is no time",
      typed("Date"),
      "{ x: { min: soon } }",
      "4:16 min 'soon' of 'x' is not a day of the calendar: write 2024-01-31. → Write a value of Date.",
    ],
    [
      "with bounds on a text",
      typed("String"),
      "{ x: { max: 3 } }",
      "4:16 String of 'x' has no max. → Use `values`, or leave it out: only numbers and times have bounds.",
    ],
    [
      "with bounds the wrong way round",
      X,
      "{ x: { min: 3, max: 2 } }",
      "4:24 max 2 of 'x' is below its min 3. → Exchange them.",
    ],
    [
      "with a number that YAML rounds",
      typed("UInt64"),
      "{ x: { max: 18446744073709551615 } }",
      "4:16 max 18446744073709552000 of 'x' has more digits than YAML's numbers keep. → Write it in quotes.",
    ],
  ])("refuses a parameter %s", (_, sql, params, expected) => {
    expect(wrong(() => read(sql, params))).toBe(expected);
  });

  test("names an unknown option, and those that there are", () => {
    const message = wrong(() => read(X, "{ x: { maximum: 3 } }"));
    expect(message).toBe(
      "4:16 Cannot use 'params.x.maximum' here: there is no such option. → Use one of: default, example, min, max, values, doc.",
    );
  });

  test.each([
    ["UInt64", "{ default: '18446744073709551615', max: '18446744073709551615' }", ["18446744073709551615"]],
    ["Decimal(18, 8)", "{ default: 0.00000001 }", ["0.00000001"]],
    ["Bool", "{ default: true }", ["true"]],
    ["Nullable(String)", "{ default: null }", undefined],
    ["Nullable(String)", "{}", undefined],
    ["LowCardinality(Nullable(String))", "{}", undefined],
    ["Array(String)", "{ default: [] }", ["[]"]],
    ["Array(String)", "{ default: ['[a'] }", ['["[a"]']],
    ["Array(UInt8)", "{ default: [1, 2] }", ["1", "2"]],
    ["Enum8('a' = 1, 'b' = 2)", "{ default: b }", ["b"]],
    ["DateTime64(3, 'UTC')", "{ default: '2026-01-01T00:00:00Z' }", ["2026-01-01T00:00:00Z"]],
  ] as const)("takes a default of %s: %s", (type, options, expected) => {
    const [param] = read(typed(type), `{ x: ${options} }`).params;
    expect(param).toMatchObject({ type, required: false });
    expect(param!.default).toEqual(expected as never);
  });
});
