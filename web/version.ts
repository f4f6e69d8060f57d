/**
 * The version of Weir, as `weir --version` and `weir status` say it.
 *
 * @module
 */

export const VERSION = "0.1.0";
