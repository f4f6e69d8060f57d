/**
 * What `effect/cli` asks of the machine, over Bun.
 *
 * The package that would bring it, @effect/platform-bun, has no release for this
 * version of Effect. Parsing, help and completions write to the console and ask
 * nothing else: no flag here reads a file, prompts or starts a process, so those
 * services answer that there is nothing.
 *
 * @module
 */
import { Effect, FileSystem, Layer, Path, Queue, Sink, Stdio, Stream, Terminal } from "effect";
import { ChildProcessSpawner } from "effect/process";

const terminal = Terminal.make({
  columns: Effect.sync(() => process.stdout.columns ?? 80),
  rows: Effect.sync(() => process.stdout.rows ?? 24),
  size: Effect.flatMap(Queue.bounded<Terminal.Size, never>(1), () => Effect.never),
  readInput: Effect.die(new Error("no command prompts")),
  readLine: Effect.fail(new Terminal.QuitError({})),
  display: (text) => Effect.sync(() => void process.stdout.write(text)),
});

const writing = (stream: NodeJS.WriteStream) =>
  Sink.forEachArray((pieces: readonly (string | Uint8Array)[]) =>
    Effect.sync(() => {
      for (const piece of pieces) stream.write(piece);
    }),
  );

const stdio = Stdio.make({
  args: Effect.sync(() => process.argv.slice(2)),
  stdout: () => writing(process.stdout),
  stderr: () => writing(process.stderr),
  stdin: Stream.empty,
});

/** The services behind the command line. */
export const platform = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Layer.succeed(Terminal.Terminal, terminal),
  Layer.succeed(Stdio.Stdio, stdio),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => Effect.die(new Error("no command starts a process"))),
  ),
);
