/**
 * Server-Sent Events, read from a stream of text.
 *
 *   chunks of text ──push──▶ whole events
 *
 * As the standard says (https://html.spec.whatwg.org/multipage/server-sent-events.html),
 * for lines that end in a line feed, which is how the door writes them.
 *
 * @module
 */

/** One event. */
export interface ServerEvent {
  readonly kind: string;
  readonly id: string;
  readonly data: string;
}

/** Characters of one event; beyond it the stream is not what it should be. */
const EVENT_CHARS_MAX = 64 * 2 ** 20;

/** Cuts a stream into events; keeps what is not whole yet. */
export class EventCutter {
  #held = "";

  /** Takes what arrived, gives the events that it completed; comments and settings of the stream are left out. */
  push(text: string): ServerEvent[] {
    const blocks = (this.#held + text).split("\n\n");
    this.#held = blocks.pop() ?? "";
    if (this.#held.length > EVENT_CHARS_MAX) throw new Error("An event never ends.");
    return blocks.flatMap((block) => {
      const fields = new Map<string, string>();
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        const [name, value] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
        fields.set(name, fields.has(name) ? `${fields.get(name)}\n${value}` : value);
      }
      const data = fields.get("data");
      return data === undefined ? [] : [{ kind: fields.get("event") ?? "message", id: fields.get("id") ?? "", data }];
    });
  }
}
