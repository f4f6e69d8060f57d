/**
 * Loading dimensions on the real engine: every format, every type, everything that must be refused.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { countQuery, dimensionTable, repeatedKeysProblem, repeatedKeysQuery } from "@weir/sql";
import { type Body, DimensionEngine, text } from "./dimension_engine.ts";

const engine = new DimensionEngine();
beforeAll(() => engine.open());
afterAll(() => engine.close());

const EVERY_TYPE = `k String, u UInt8, i Int64, wide UInt256, f Float32, d Decimal(10, 2), o Decimal(2, 2), b Bool, day Date,
  at DateTime64(3, 'UTC'), sec DateTime('UTC'), id UUID, ip IPv4, six IPv6, n Nullable(Int32), s Nullable(String), lc LowCardinality(String)`;
const STORED = {
  k: 'a, "b"',
  u: 255,
  i: "-9223372036854775808",
  wide: "7",
  f: 1.5,
  d: 12.3,
  o: -0.25,
  b: true,
  day: "2001-02-28",
  at: "2001-02-03 04:05:06.120",
  sec: "2001-02-03 04:05:06",
  id: "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
  ip: "1.2.3.4",
  six: "::1",
  n: null,
  s: null,
  lc: "",
};

describe("loadStatements()", () => {
  test("stores every type as the CSV says it", async () => {
    const dimension = await engine.dimensionOf("every", text("every", EVERY_TYPE));
    const file = `k,u,i,wide,f,d,o,b,day,at,sec,id,ip,six,n,s,lc\r
"a, ""b""",255,-9223372036854775808,7,1.5,12.30,-0.25,true,2001-02-28,2001-02-03T04:05:06.12Z,2001-02-03 05:05:06+01:00,${STORED.id},1.2.3.4,::1,,,\r
`;
    const table = await engine.load(dimension, file);
    expect(await engine.rows(`SELECT * FROM ${table}`)).toEqual([STORED]);
  });

  test("stores every type as the NDJSON says it, fields in any order", async () => {
    const front = "from: { file: x.ndjson }";
    const dimension = await engine.dimensionOf("every", text("every", EVERY_TYPE, front));
    const { wide, i, ...rest } = { ...STORED, d: "12.300", at: "2001-02-03T04:05:06.12+00:00" };
    const file = `{"i":${i},"wide":${wide},${JSON.stringify(rest).slice(1)}\n`;
    const table = await engine.load(dimension, file);
    expect(await engine.rows(`SELECT * FROM ${table}`)).toEqual([STORED]);
  });

  test("stores every type as the Parquet file has it", async () => {
    const columns =
      "k String, u UInt8, i Int64, f Float64, d Decimal(10, 2), b Bool, day Date, at DateTime64(6, 'UTC'), n Nullable(Int32)";
    const dimension = await engine.dimensionOf("pq", text("pq", columns, "from: { file: x.parquet }"));
    const file =
      await engine.parquet(`SELECT 'x' AS k, toInt64(255) AS u, toInt32(-5) AS i, 0.1 AS f, toDecimal64('12.30', 4) AS d,
      true AS b, toDate('2001-02-03') AS day, toDateTime64('2001-02-03 04:05:06.123456', 6, 'UTC') AS at, NULL::Nullable(Int32) AS n`);
    const table = await engine.load(dimension, file);
    expect(await engine.rows(`SELECT * FROM ${table}`)).toEqual([
      {
        k: "x",
        u: 255,
        i: "-5",
        f: 0.1,
        d: 12.3,
        b: true,
        day: "2001-02-03",
        at: "2001-02-03 04:05:06.123456",
        n: null,
      },
    ]);
  });

  test.each([
    ["a number too large", "v UInt8", "k,v\na,1\nb,300\n", 'row 2: column v is "300", which UInt8 cannot hold.'],
    ["a negative number", "v UInt8", "k,v\na,-1\n", 'row 1: column v is "-1"'],
    ["a fraction", "v Int32", "k,v\na,1.0\n", 'row 1: column v is "1.0"'],
    ["a leading zero", "v UInt32", "k,v\na,00501\n", 'row 1: column v is "00501"'],
    ["a space", "v UInt32", "k,v\na, 5\n", 'row 1: column v is " 5"'],
    ["an empty number", "v UInt32", "k,v\na,\n", 'row 1: column v is "", which UInt32 cannot hold.'],
    ["77 digits", "v Int256", `k,v\na,${"9".repeat(77)}\n`, "row 1: column v is"],
    ["too many decimals", "v Decimal(10, 2)", "k,v\na,1.005\n", 'row 1: column v is "1.005"'],
    ["too many digits", "v Decimal(5, 2)", "k,v\na,1234.5\n", 'row 1: column v is "1234.5"'],
    ["a Float beyond 32 bits", "v Float32", "k,v\na,1e39\n", 'row 1: column v is "1e39"'],
    ["not a number", "v Float64", "k,v\na,nan\n", 'row 1: column v is "nan"'],
    ["yes", "v Bool", "k,v\na,yes\n", 'row 1: column v is "yes"'],
    ["a day that does not exist", "v Date", "k,v\na,2001-02-29\n", 'row 1: column v is "2001-02-29"'],
    ["a day out of range", "v Date", "k,v\na,1969-12-31\n", 'row 1: column v is "1969-12-31"'],
    ["milliseconds that would be lost", "v DateTime('UTC')", "k,v\na,2001-01-01 00:00:00.5\n", "row 1: column v is"],
    ["a broken UUID", "v UUID", "k,v\na,61f0c404\n", 'row 1: column v is "61f0c404"'],
    ["a wrong value where NULL is allowed", "v Nullable(UInt8)", "k,v\na,\nb,x\n", 'row 2: column v is "x"'],
    ["a header without a column", "v String", "k\na\n", "row 1: column v is missing or null"],
    ["a header in other letters", "v String", "k,V\na,1\n", "Unknown field found in format header: 'V'"],
    ["a column that is not declared", "v String", "k,v,w\na,1,2\n", "Unknown field found in format header: 'w'"],
    ["a column twice", "v String", "k,v,v\na,1,2\n", "Duplicate field"],
    ["a short row", "v String", "k,v\na\n", "Cannot parse input"],
    ["a long row", "v String", "k,v\na,1,2\n", "Expected end of line"],
    ["another delimiter", "v String", "k;v\na;1\n", "Unknown field found in format header: 'k;v'"],
    ["an empty file", "v String", "", "Unknown field found in format header"],
  ] as const)("refuses in a CSV %s", async (_, column, file, says) => {
    const dimension = await engine.dimensionOf("wrong", text("wrong", `k String, ${column}`));
    await expect(engine.load(dimension, file)).rejects.toThrow(says);
    expect(await engine.rows(countQuery(dimensionTable(dimension, 1)))).toEqual([{ rows: "0" }]);
  });

  test("refuses bytes that are no UTF-8", async () => {
    const dimension = await engine.dimensionOf("wrong", text("wrong", "k String, v String"));
    const file = new Uint8Array([...new TextEncoder().encode("k,v\na,"), 0xff, 10]);
    await expect(engine.load(dimension, file)).rejects.toThrow("row 1: column v is");
  });

  test.each([
    ["a missing field", "v UInt8", '{"k":"a"}', "column v is missing or null"],
    ["null", "v String", '{"k":"a","v":null}', "column v is missing or null"],
    ["a number for a String", "v String", '{"k":"a","v":5}', "which String cannot hold"],
    ["a boolean for a String", "v Nullable(String)", '{"k":"a","v":true}', "which Nullable(String) cannot hold"],
    ["an object for a String", "v String", '{"k":"a","v":{"x":1}}', "which String cannot hold"],
    ["a number too large", "v UInt8", '{"k":"a","v":1}\n{"k":"b","v":256}', 'row 2: column v is "256"'],
    ["an empty text for a number", "v UInt8", '{"k":"a","v":""}', 'column v is ""'],
    ["an array for a number", "v UInt8", '{"k":"a","v":[1]}', "(at row 1)"],
    ["a field that is not declared", "v UInt8", '{"k":"a","v":1,"w":2}', "Unknown field"],
    ["a field twice", "v UInt8", '{"k":"a","v":1,"v":2}', "Duplicate field"],
    ["a cut line", "v UInt8", '{"k":"a","v":1', "end of stream"],
  ] as const)("refuses in an NDJSON %s", async (_, column, file, says) => {
    const dimension = await engine.dimensionOf(
      "wrong",
      text("wrong", `k String, ${column}`, "from: { file: x.ndjson }"),
    );
    await expect(engine.load(dimension, file)).rejects.toThrow(says);
  });

  test.each([
    ["a number too large", "SELECT 'a' AS k, 300 AS v", 'row 1: column v is "300", which UInt8 cannot hold.'],
    ["a NULL", "SELECT 'a' AS k, NULL::Nullable(UInt8) AS v", "column v is missing or null"],
    ["a fraction", "SELECT 'a' AS k, 1.5 AS v", 'column v is "1.5"'],
    ["a column that is missing", "SELECT 'a' AS k, 1 AS w", "Column v was not found"],
    ["a column more", "SELECT 'a' AS k, 1 AS v, 2 AS w", "does not have exactly the 2 columns that are declared"],
    ["a list", "SELECT 'a' AS k, [1] AS v", "doesn't match parquet schema"],
  ] as const)("refuses in a Parquet file %s", async (_, select, says) => {
    const front = "from: { file: x.parquet }";
    const dimension = await engine.dimensionOf("wrong", text("wrong", "k String, v UInt8", front));
    await expect(engine.load(dimension, await engine.parquet(select))).rejects.toThrow(says);
  });

  test("keeps the order of a Parquet file's groups of rows", async () => {
    const front = "from: { file: x.parquet }\nrepeated: last";
    const dimension = await engine.dimensionOf("ordered", text("ordered", "k UInt32, v UInt32", front));
    const select = "SELECT number % 1000 AS k, number AS v FROM numbers(100000)";
    const file = await engine.parquet(
      `${select} SETTINGS output_format_parquet_row_group_size = 3000, max_threads = 1`,
    );
    const table = await engine.load(dimension, file);
    const counted = await engine.rows(`SELECT count() AS rows, countIf(v = 99000 + k) AS last FROM ${table}`);
    expect(counted).toEqual([{ rows: "1000", last: "1000" }]);
  });

  test.each([
    ["csv", async (): Promise<Body> => "k,w,v\na,9,1\n"],
    ["ndjson", async (): Promise<Body> => '{"k":"a","w":{"x":[9]},"v":1}'],
    ["parquet", (): Promise<Body> => engine.parquet("SELECT 'a' AS k, 9 AS w, 1 AS v")],
  ] as const)("leaves out what is not declared, if it may: %s", async (format, file) => {
    const front = `from: { file: x.${format} }\nunknown: ignore`;
    const dimension = await engine.dimensionOf("loose", text("loose", "k String, v UInt8", front));
    expect(await engine.rows(`SELECT * FROM ${await engine.load(dimension, await file())}`)).toEqual([
      { k: "a", v: 1 },
    ]);
  });
});

test("a field twice is refused also where others may be left out", async () => {
  const front = "from: { file: x.ndjson }\nunknown: ignore";
  const dimension = await engine.dimensionOf("loose", text("loose", "k String, v UInt8", front));
  await expect(engine.load(dimension, '{"k":"a","v":1,"x":3,"v":2}')).rejects.toThrow("Duplicate field");
});

describe("repeated keys", () => {
  const file = "k,v,w\na,1,x\nb,5,x\na,3,x\na,2,x\nb,,x\n";
  const columns = "k String, v Nullable(UInt8), w String";

  test("are found and quoted before anything is published", async () => {
    const dimension = await engine.dimensionOf("twice", text("twice", columns));
    const table = await engine.load(dimension, file);
    const found = await engine.rows<{ key: string; rows: string }>(repeatedKeysQuery(dimension, table));
    expect(repeatedKeysProblem(dimension, found)).toContain("its key k is repeated: 'a' (3 rows), 'b' (2 rows).");
    expect(repeatedKeysProblem(dimension, [])).toBeUndefined();
  });

  test.each([
    [
      "first",
      [
        ["a", 1],
        ["b", 5],
      ],
    ],
    [
      "last",
      [
        ["a", 2],
        ["b", null],
      ],
    ],
    [
      "{ largest: v }",
      [
        ["a", 3],
        ["b", 5],
      ],
    ],
  ] as const)("keep one row: %s", async (rule, kept) => {
    const front = `from: { file: x.csv }\nrepeated: ${rule}`;
    const dimension = await engine.dimensionOf("twice", text("twice", columns, front));
    const table = await engine.load(dimension, file);
    const found = await engine.rows<{ k: string; v: number | null }>(`SELECT k, v FROM ${table} ORDER BY k`);
    expect(found.map(({ k, v }) => [k, v])).toEqual(kept as never);
    expect(await engine.rows(repeatedKeysQuery(dimension, table))).toEqual([]);
  });
});
