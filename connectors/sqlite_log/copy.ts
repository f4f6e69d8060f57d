/**
 * A copy of the log, made beside its work.
 *
 *   copyLog ──▶ copier.ts: snapshot begun ──▶ the caller may go on ──finish──▶ the copy is whole
 *
 * Until the scope closes the writer leaves the WAL as long as it grows: cutting
 * it would wait for the copy.
 *
 * @module
 */
import { Deferred, Effect, type Scope } from "effect";
import { type CopiedLog, type LogCopy, LogFailed } from "../log.ts";
import type { Link } from "./link.ts";
import type { CopyNotice, WriterCalls } from "./protocol.ts";

/** Begins a copy of `file` in the new file `to`; closing the scope ends a copy that is not finished. */
export const copyLog = Effect.fnUntraced(function* (
  writer: Link<WriterCalls>,
  { file, to }: { readonly file: string; readonly to: string },
): Effect.fn.Return<LogCopy, LogFailed, Scope.Scope> {
  const begun = yield* Deferred.make<void, LogFailed>();
  const copied = yield* Deferred.make<CopiedLog, LogFailed>();
  yield* Effect.acquireRelease(keepWal(writer, true), () => Effect.ignore(keepWal(writer, false)));
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(new URL("./copier.ts", import.meta.url))),
    (worker) => Effect.sync(() => worker.terminate()),
  );
  const fail = (failed: LogFailed) => {
    Deferred.doneUnsafe(begun, Effect.fail(failed));
    Deferred.doneUnsafe(copied, Effect.fail(failed));
  };
  worker.onmessage = ({ data }: MessageEvent<CopyNotice>) => {
    if (data.kind === "begun") Deferred.doneUnsafe(begun, Effect.void);
    if (data.kind === "copied") Deferred.doneUnsafe(copied, Effect.succeed(data.copied));
    if (data.kind === "failed") fail(new LogFailed(data.failure));
  };
  worker.onerror = ({ message }: ErrorEvent) =>
    fail(new LogFailed({ reason: "unavailable", message: `Cannot copy the log: ${message}.`, retriable: true }));
  worker.postMessage({ file, to });
  yield* Deferred.await(begun);
  return { finish: Deferred.await(copied) };
});

function keepWal(writer: Link<WriterCalls>, isKept: boolean): Effect.Effect<void, LogFailed> {
  return Effect.callback((resume) =>
    writer.call("keepWal", isKept, (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure))),
  );
}
