/**
 * Envelopes: reading the few fields of a JSON message that say what the rest of it is. Values keep their own text.
 *
 * @module
 */
import { type Node, NotJson, parseExact } from "../conform/exact.ts";
import { Undecodable } from "./undecodable.ts";

/** The text's object; throws `Undecodable` if it is none. */
export function objectOf(text: string): Node {
  try {
    const root = parseExact(text);
    if (root.kind === "object") return root;
  } catch (error) {
    if (error instanceof NotJson) throw new Undecodable(error.message);
    throw error;
  }
  throw new Undecodable("the record is not a JSON object");
}

/** A field of an object; undefined if it is not there. A field that is there twice means nothing certain. */
export function fieldOf(node: Node, name: string): Node | undefined {
  const found = node.fields.filter((field) => field.name === name);
  if (found.length > 1) throw new Undecodable(`the record has ${name} more than once`);
  return found[0]?.node;
}
