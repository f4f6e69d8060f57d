/**
 * What the door serves under /v1/api: published APIs, by id.
 *
 *   definitions ──applied──▶ Apis ──▶ /v1/api/<id> · /v1/api/<id>/live
 *
 * What must hold: whenever an API or anything that it reads is applied anew,
 * `get` gives a new object. Answers are kept per object, so old ones end with it.
 *
 * @module
 */
import type { Api } from "@weir/sql";

/** An API that is served. */
export interface PublishedApi {
  readonly api: Api;
  /**
   * The tables whose commits change the answer, as `Visible` names them (`ods.flight`);
   * undefined: unknown, because something is read that changes by itself. Then nothing is kept.
   */
  readonly sources: readonly string[] | undefined;
}

/** The APIs of this process. */
export interface Apis {
  /** The API of that id, if it is published. */
  readonly get: (id: string) => PublishedApi | undefined;
  readonly all: () => readonly PublishedApi[];
}

/** No API at all. */
export const NO_APIS: Apis = { get: () => undefined, all: () => [] };
