import { describe, expect, test } from "bun:test";
import { asksClock, atTime } from "./clock.ts";

const NOW = Date.UTC(2026, 2, 1, 10);
const AT = `fromUnixTimestamp64Milli(${NOW})`;

describe("atTime()", () => {
  test.each([
    ["now()", `(toDateTime(${AT}) AS \`now()\`)`],
    ["NOW ( )", `(toDateTime(${AT}) AS \`NOW()\`)`],
    ["now('Asia/Tokyo')", `(toDateTime(${AT}, 'Asia/Tokyo') AS \`now('Asia/Tokyo')\`)`],
    ["now64()", `(toDateTime64(${AT}, 3) AS \`now64()\`)`],
    ["now64(6,'UTC')", `(toDateTime64(${AT}, 6, 'UTC') AS \`now64(6, 'UTC')\`)`],
    ["now64(toUInt8(6))", `(toDateTime64(${AT}, toUInt8(6)) AS \`now64(toUInt8(6))\`)`],
    ["today()", `(toDate(${AT}) AS \`today()\`)`],
    ["yesterday()", `((toDate(${AT}) - 1) AS \`yesterday()\`)`],
    ["CURRENT_DATE", `(toDate(${AT}) AS \`CURRENT_DATE\`)`],
    ["now() - now()", `(toDateTime(${AT}) AS \`now()\`) - (toDateTime(${AT}) AS \`now()\`)`],
  ])("SELECT %s", (asked, answered) => {
    expect(atTime(`SELECT ${asked} FROM dwa.day`, NOW)).toBe(`SELECT ${answered} FROM dwa.day`);
  });

  test.each([
    ["a column", "SELECT now, t.today, `today` FROM t"],
    ["a column that is called like a word of the clock", "SELECT 1 AS current_date, t.current_date"],
    ["a method of a table", "SELECT t.now(1)"],
    ["a string", "SELECT 'now()'"],
    ["a comment", "SELECT 1 -- now()"],
    ["brackets that do not end", "SELECT now("],
  ])("leaves %s alone", (_, sql) => {
    expect(atTime(sql, NOW)).toBe(sql);
    expect(asksClock(sql)).toBe(false);
  });
});
