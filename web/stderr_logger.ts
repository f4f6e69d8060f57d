/**
 * Where the process logs: stderr, so that stdout stays the answer of a command.
 *
 * @module
 */
import { Logger } from "effect";
import { safeText } from "./safe_text.ts";

/** Logs to stderr, one line of key=value pairs each; what an event holds moves nobody's cursor. */
export const stderrLogger = Logger.layer([Logger.withConsoleError(Logger.map(Logger.formatLogFmt, safeText))]);
