/**
 * Settings of reads from Weir's own tables.
 *
 * @module
 */

/** 64-bit integers as JSON numbers: versions, offsets and milliseconds stay below 2^53. */
export const NUMBERS = { output_format_json_quote_64bit_integers: 0 } as const;
