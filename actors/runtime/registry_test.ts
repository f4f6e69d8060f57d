/**
 * The registry: lines that come, go and are pulled.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Registry, type Report } from "./registry.ts";

const report =
  (address: string, state = "running") =>
  (): Report => ({
    address,
    kind: "table",
    mailbox: 0,
    mailboxMax: 8,
    restarts: 0,
    lastError: undefined,
    state,
  });

describe("Registry", () => {
  test("is empty at first", () => {
    expect(new Registry().reports()).toEqual([]);
  });

  test("orders reports by address", () => {
    const registry = new Registry();
    for (const address of ["table/b/1", "table/a", "table/b"]) registry.set(address, report(address));
    expect(registry.reports().map(({ address }) => address)).toEqual(["table/a", "table/b", "table/b/1"]);
  });

  test("pulls a report when somebody looks, not before", () => {
    const registry = new Registry();
    let state = "starting";
    registry.set("a", () => report("a", state)());
    state = "running";
    expect(registry.reports()[0].state).toBe("running");
  });

  test("replaces the line of an address", () => {
    const registry = new Registry();
    registry.set("a", report("a", "first"));
    registry.set("a", report("a", "second"));
    expect(registry.reports().map(({ state }) => state)).toEqual(["second"]);
  });

  test("removes a line only for the actor that set it", () => {
    const registry = new Registry();
    const [first, second] = [report("a", "first"), report("a", "second")];
    registry.set("a", first);
    registry.set("a", second);
    registry.delete("a", first);
    expect(registry.reports().map(({ state }) => state)).toEqual(["second"]);
    registry.delete("a", second);
    expect(registry.reports()).toEqual([]);
  });
});
