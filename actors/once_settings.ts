/**
 * Settings of every insert that carries a token: said explicitly, because the engine's defaults change.
 *
 * @module
 */

/** One synchronous insert whose token decides, down through every view, whether it is new. */
export const ONCE_SETTINGS = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  materialized_views_ignore_errors: 0,
  wait_end_of_query: 1,
  max_insert_threads: 1,
  // Rows of a fold come grouped out of their view: grouping them again costs a quarter of the insert and changes nothing.
  optimize_on_insert: 0,
} as const;
