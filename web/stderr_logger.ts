/**
 * Where the process logs: stderr, so that stdout stays the answer of a command.
 *
 * @module
 */
import { Logger } from "effect";

/** Logs to stderr, one line of key=value pairs each. */
export const stderrLogger = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]);
