/**
 * The outlines of the states, from the package to a path.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { SHEET } from "./console/projection.ts";
import { outlineOf, statesOutline } from "./states_outline.ts";

const CORNERS = /M(-?[\d.]+) (-?[\d.]+)/g;

describe("statesOutline()", () => {
  test("is a path of closed rings inside the sheet, small enough for a page", async () => {
    const outline = await statesOutline();
    expect(outline).toMatch(/^(?:M-?[\d.]+ -?[\d.]+l[-.\d ]+z)+$/);
    expect([...outline.matchAll(CORNERS)].length).toBeGreaterThan(49);
    expect(outline.length).toBeLessThan(100_000);
    for (const [, x, y] of outline.matchAll(CORNERS)) {
      expect(Number(x)).toBeLessThan(SHEET.width);
      expect(Number(y)).toBeLessThan(SHEET.height);
    }
  });
});

describe("outlineOf()", () => {
  const shape = (arcs: [number, number][][], ring: number[]) => ({
    transform: { scale: [1, 1] as [number, number], translate: [-100, 35] as [number, number] },
    arcs,
    objects: { states: { geometries: [{ type: "Polygon" as const, arcs: [ring] }] } },
  });
  const there: [number, number][] = [
    [0, 0],
    [4, 0],
    [0, 4],
  ];
  const back: [number, number][] = [
    [0, 0],
    [0, 4],
    [4, 0],
  ];

  test("joins arcs, a negative one backwards", () => {
    const whole = outlineOf(shape([[...there, [-4, 0], [0, -4]]], [0]));
    expect(whole).not.toBe("");
    expect(outlineOf(shape([there, back], [0, -2]))).toBe(whole);
  });

  test("leaves out what is too small to be seen", () => {
    expect(
      outlineOf(
        shape(
          [
            [
              [0, 0],
              [0.01, 0],
              [0, 0.01],
              [-0.01, 0],
            ],
          ],
          [0],
        ),
      ),
    ).toBe("");
  });
});
