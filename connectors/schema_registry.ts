/**
 * The port `SchemaRegistry`: where other producers keep the schemas of their records, by id.
 *
 *   actors/schemas ──id──▶ SchemaRegistry ──▶ schema · unknown · refused      or RegistryAway
 *
 * Only the operator says where it is, never a definition. Nothing here repeats
 * and nothing is remembered: what an answer means for ever is the caller's.
 *
 * @module
 */
import { Data, type Effect } from "effect";

/** What a registry says of an id. */
export type RegistryAnswer =
  /** A schema of Avro, and the texts that it refers to, each behind those that it refers to itself. */
  | { readonly kind: "schema"; readonly text: string; readonly references: readonly string[] }
  /** The registry has no such id. */
  | { readonly kind: "unknown" }
  /** There is a schema, and it cannot be used; the reason says why. */
  | { readonly kind: "refused"; readonly reason: string };

/** The registry did not answer the question; a repeat can succeed. The message says what to do, and names no host. */
export class RegistryAway extends Data.TaggedError("RegistryAway")<{ readonly message: string }> {}

/** A schema registry. */
export interface SchemaRegistry {
  /** Asks once, within a bounded time. */
  readonly schema: (id: number) => Effect.Effect<RegistryAnswer, RegistryAway>;
}
