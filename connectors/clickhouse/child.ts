/**
 * The child process: hands its arguments to libchdb and becomes ClickHouse.
 *
 *   engine_process.ts ──spawn, pseudo-terminal──▶ this ──FFI──▶ chdb_query_cmdline
 *
 * Arguments: path of the library, then those of `clickhouse local`. Nothing else
 * may live here: a crash of the engine must take nothing along.
 *
 * @module
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

const [library, ...rest] = process.argv.slice(2);
if (library === undefined)
  throw new Error("Cannot start ClickHouse: no library given. This file is not to be run by hand.");

const texts = ["clickhouse", ...rest].map((text) => Buffer.from(`${text}\0`));
const argv = new BigUint64Array([...texts.map((text) => BigInt(ptr(text))), 0n]);
const { symbols } = dlopen(library, {
  chdb_query_cmdline: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.ptr },
});
symbols.chdb_query_cmdline(texts.length, ptr(argv));
