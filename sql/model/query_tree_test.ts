import { describe, expect, test } from "bun:test";
import {
  aggregatesOf,
  decimalDivisions,
  dictionaryNames,
  functionNames,
  readTree,
  sectionsOf,
  tableNames,
} from "./query_tree.ts";

const TREE = readTree(
  `QUERY id: 0, is_group_by_all: 1
  PROJECTION COLUMNS
    r Decimal(38, 2)
  PROJECTION
    LIST id: 1, nodes: 2
      FUNCTION id: 2, function_name: divide, function_type: ordinary, result_type: Decimal(38, 2)
        ARGUMENTS
          LIST id: 3, nodes: 2
            FUNCTION id: 4, function_name: sum, function_type: aggregate, result_type: Decimal(38, 2)
            CONSTANT id: 5, constant_value: UInt64_1, constant_value_type: DateTime
              EXPRESSION
                FUNCTION id: 6, function_name: now, function_type: ordinary, result_type: DateTime
      FUNCTION id: 7, function_name: dictGet, function_type: ordinary, result_type: String
        ARGUMENTS
          LIST id: 8, nodes: 2
            CONSTANT id: 9, constant_value: 'dim.it\\'s, x: y', constant_value_type: String
  JOIN TREE
    QUERY id: 10, alias: __table1, is_subquery: 1
      JOIN TREE
        TABLE_FUNCTION id: 11, table_function_name: null
      HAVING
        FUNCTION id: 12, function_name: max, function_type: aggregate, result_type: UInt8
  WHERE
    TABLE id: 13, table_name: system.one`.split("\n"),
);

describe("readTree()", () => {
  test("tells what the engine resolved", () => {
    expect([...functionNames(TREE)]).toEqual(["divide", "sum", "now", "dictGet", "max"]);
    expect([...dictionaryNames(TREE)]).toEqual(["dim.it's, x: y"]);
    expect(tableNames(TREE)).toEqual({ tables: new Set(["system.one"]), functions: new Set(["null"]) });
    expect(decimalDivisions(TREE)).toEqual([{ clause: "PROJECTION", item: 0 }]);
    expect(aggregatesOf(TREE).map(({ attributes }) => attributes.function_name)).toEqual(["sum"]);
    expect(sectionsOf(TREE)).toEqual({
      sections: { "PROJECTION COLUMNS": 1, PROJECTION: 2, "JOIN TREE": 1, WHERE: 1 },
      flags: { id: "0", is_group_by_all: "1" },
    });
  });
});
