/**
 * Tests of `tickets.ts`: a ticket says what it said when it was signed, or nothing.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readTicket, signTicket, TICKET_LIMITS, type Ticket } from "./tickets.ts";

const KEY = Buffer.alloc(32, 7);
const TICKET: Ticket = { tokenId: "5f0e1c2d3b4a5968", scopes: ["api:minutes"], expiresMs: 1_800_000_000_000 };
const signed = signTicket(KEY, TICKET);
const [form, said, signature] = signed.split(".") as [string, string, string];
const forged = Buffer.from(JSON.stringify(["admin", 9e15, ["admin"]])).toString("base64url");

describe("readTicket()", () => {
  test("reads what was signed", () => {
    expect(readTicket(KEY, signed)).toEqual(TICKET);
    expect(signed).toMatch(/^[\w.-]+$/);
  });

  test("knows only its own key", () => expect(readTicket(Buffer.alloc(32, 8), signed)).toBeUndefined());

  test("reads no ticket with any one character changed", () => {
    for (const [index, mark] of [...signed].entries()) {
      // The last character has two bits that mean nothing.
      if (index === signed.length - 1) continue;
      for (const other of ["A", "z", "_", "."]) {
        if (other === mark) continue;
        expect(readTicket(KEY, signed.slice(0, index) + other + signed.slice(index + 1))).toBeUndefined();
      }
    }
  });

  test.each([
    ["nothing", ""],
    ["no signature", `${form}.${said}`],
    ["an empty signature", `${form}.${said}.`],
    ["half a signature", `${form}.${said}.${signature.slice(0, 20)}`],
    ["a longer signature", `${form}.${said}.${signature}A`],
    ["another text", `${form}.${forged}.${signature}`],
    ["another form", `wt2.${said}.${signature}`],
    ["a JWT without a signature", "eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImFkbWluIn0."],
    ["a JWT signed with the key", `eyJhbGciOiJIUzI1NiJ9.${forged}.${signature}`],
    ["spaces", ` ${signed}`],
    ["a line more", `${signed}\n`],
    ["too much", `${form}.${"A".repeat(TICKET_LIMITS.charsMax)}.${signature}`],
  ])("reads nothing from %s", (_, text) => expect(readTicket(KEY, text)).toBeUndefined());

  test("does not trust even a signed text of another shape", () => {
    const odd = signTicket(KEY, { tokenId: 1, scopes: "admin", expiresMs: "x" } as unknown as Ticket);
    expect(readTicket(KEY, odd)).toBeUndefined();
  });
});
