/**
 * Tests of the nearest name.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { NEAREST_LIMITS, nearest } from "./nearest.ts";

describe("nearest()", () => {
  test.each([
    ["a missing letter", "SELEC", ["SHOW", "SELECT"], "SELECT"],
    ["an added letter", "SELLECT", ["SELECT"], "SELECT"],
    ["exchanged letters", "FORM", ["WITH", "FROM"], "FROM"],
    ["other letters", "selekt", ["SELECT"], "SELECT"],
    ["the nearer one", "dwf.numbr", ["dwf.numb", "dwf.number", "dwf.numbs"], "dwf.numb"],
    ["the nearer one, though it comes later", "version", ["versino_", "verson"], "verson"],
    ["nothing that is far", "DROP", ["FROM", "SHOW"], undefined],
    ["nothing that is short and other", "ab", ["cd", "xyz"], undefined],
    ["nothing for one letter", "a", ["b"], undefined],
    ["nothing of nothing", "a", [], undefined],
    ["nothing that is long", "a".repeat(NEAREST_LIMITS.nameCharsMax + 1), ["a"], undefined],
  ])("finds %s", (_, wanted, names, found) => expect(nearest(wanted, names)).toBe(found));
});
