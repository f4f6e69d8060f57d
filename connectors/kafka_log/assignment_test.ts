import { describe, expect, test } from "bun:test";
import { type Claim, decodeShare, decodeSubscription, encodeShare, shareOut, subscription } from "./assignment.ts";

describe("shareOut()", () => {
  test.each([
    ["gives one member all", { a: "share" }, 3, { a: [0, 1, 2] }],
    ["shares evenly, whatever the order of names", { b: "share", a: "share" }, 5, { a: [0, 2, 4], b: [1, 3] }],
    ["leaves members without a share", { a: "share", b: "share" }, 1, { a: [0], b: [] }],
    ["gives all to the one that wants all", { a: "share", b: "all" }, 2, { a: [], b: [0, 1] }],
    ["gives all to the first of several that want all", { b: "all", a: "all" }, 1, { a: [0], b: [] }],
    ["lets a member keep all, whoever else wants it", { a: "all", b: "kept", c: "share" }, 1, { a: [], b: [0], c: [] }],
    ["gives nobody what is not there", {}, 0, {}],
  ] as const)("%s", (_, members, count, expected) => {
    const claimants = Object.entries(members).map(([memberId, claim]: [string, Claim]) => ({
      ...{ memberId, name: "", claim },
    }));
    expect(Object.fromEntries(shareOut(claimants, count))).toEqual(expected as never);
  });

  test("is read as it was written", () => {
    expect(decodeShare("t", encodeShare("t", [2, 0]))).toEqual([2, 0]);
    expect(decodeShare("t", Buffer.alloc(0))).toEqual([]);
    const said = { name: "häuschen pid 1", claim: "kept" } as const;
    expect(decodeSubscription(subscription("t", said))).toEqual(said);
    expect(decodeSubscription(Buffer.alloc(0))).toEqual({ name: "", claim: "share" });
  });
});
