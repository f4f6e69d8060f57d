/**
 * Tests of `connection.ts`: `CLICKHOUSE_URL`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { externalConnection } from "./connection.ts";

describe("externalConnection()", () => {
  test("takes one user for every account", () => {
    const connection = externalConnection("http://u%40x:p%2Fw@ch:8123/");
    expect(connection.url).toBe("http://ch:8123");
    expect(connection.accounts.reader).toEqual({ user: "u@x", password: "p/w" });
    expect(connection.accounts.admin).toEqual(connection.accounts.writer);
  });

  test("makes readers readonly and limited", () => {
    const { readerSettings } = externalConnection("https://ch:8443/behind");
    expect(readerSettings).toMatchObject({ readonly: 1, max_execution_time: 60 });
  });

  test("takes other users where given", () => {
    const reader = { user: "r", password: "" };
    expect(externalConnection("http://ch", { accounts: { reader } }).accounts.reader).toEqual(reader);
  });

  test.each(["", "ch:8123", "tcp://u:secret@ch", "http://u:%zz-secret@ch"])("refuses %j and keeps secrets", (text) => {
    expect(() => externalConnection(text)).toThrow(/^Cannot read CLICKHOUSE_URL: (?!.*secret)/);
  });
});
