/**
 * Watched APIs as React state: the newest result, and how the door is.
 *
 * @module
 */
import { useEffect, useState } from "react";
import { type Result, type Watched, watch } from "./watch.ts";

/** What a part of the page knows of its API; the result stays while the door is away. */
export interface Live<Row> {
  readonly state: Watched<Row>;
  readonly result: Result<Row> | undefined;
}

/** Watches `GET /v1/api/<id>/live` while the part is on the page. */
export function useLive<Row>(token: string, path: string): Live<Row> {
  const [live, setLive] = useState<Live<Row>>({ state: { kind: "connecting" }, result: undefined });
  useEffect(() => {
    const stop = new AbortController();
    const tell = (state: Watched<Row>) =>
      setLive(({ result }) => ({ state, result: state.kind === "live" ? state.result : result }));
    void watch<Row>({ path: `/v1/api/${path}`, token, tell, signal: stop.signal });
    return () => stop.abort();
  }, [token, path]);
  return live;
}
