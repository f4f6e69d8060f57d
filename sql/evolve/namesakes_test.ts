/**
 * Namesakes: which names of a SELECT a new column could be taken for.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { bareNames } from "./namesakes.ts";

test("bareNames() finds what is said by itself, and neither comments, texts, functions nor what belongs to a table", () => {
  const text = `/*---
kind: model
doc: about pages
---*/
SELECT v.id, town, "my x", count(pages) AS visits, p.country -- of origin
FROM ods.visit AS v LEFT JOIN dim.place AS p ON p.code = v.id WHERE kind != 'channel'`;
  const names = bareNames(text);
  for (const name of ["town", "my x", "pages", "visits", "kind", "v"]) expect(names).toContain(name);
  for (const name of ["id", "about", "count", "country", "origin", "visit", "code", "channel"])
    expect(names).not.toContain(name);
});
