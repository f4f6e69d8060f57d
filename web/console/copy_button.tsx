/**
 * A button that copies a text, and says that it did.
 *
 * @module
 */
import { useState } from "react";

const SAID_MS = 2_000;

/** `text` gives what to copy, or undefined where there is nothing; `name` is on the button. */
export function CopyButton({ text, name }: { text: () => string | undefined; name: string }) {
  const [said, setSaid] = useState<string>();
  const copy = async () => {
    const copied = text();
    const isDone = copied !== undefined && (await written(copied));
    setSaid(isDone ? "Copied" : "Cannot copy");
    setTimeout(() => setSaid(undefined), SAID_MS);
  };
  return (
    <button type="button" className="quiet" onClick={() => void copy()}>
      <span aria-live="polite">{said ?? name}</span>
    </button>
  );
}

/** Browsers give pages the clipboard only over HTTPS and on localhost, and if the user lets them. */
async function written(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
