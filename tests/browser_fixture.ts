/**
 * A real browser for tests: Chromium, driven by its own protocol (https://chromedevtools.github.io/devtools-protocol).
 *
 *   openBrowser ──▶ Chromium, without a window, on a profile of its own ──page(url)──▶ evaluate · click · press · until
 *
 * Without Chromium the tests say that they are skipped; WEIR_CHROMIUM=required makes that a failure.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder, until } from "./door_process.ts";

/** Where Chromium is; undefined if it is not here, which is said once for the file that asks. */
export function chromiumFor(file: string): string | undefined {
  const [found] = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => Bun.which(name) ?? []);
  if (found !== undefined) return found;
  if (process.env.WEIR_CHROMIUM === "required") {
    const required = "WEIR_CHROMIUM=required says that it must be tried. Install chromium.";
    throw new Error(`There is no Chromium here, and ${required}`);
  }
  console.log(`skipped: ${file}, because there is no Chromium here`);
  return undefined;
}

/** Starts Chromium on a profile of its own; `flags` come before the address. */
export function startChromium(chromium: string, { flags, address }: { flags: readonly string[]; address: string }) {
  const profile = temporaryFolder("browser");
  const own = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"];
  const child = Bun.spawn([chromium, ...own, ...flags, `--user-data-dir=${profile.path}`, address], {
    ...{ stdout: "ignore", stderr: "ignore" },
  });
  return {
    profile: profile.path,
    close: async () => {
      child.kill();
      await child.exited;
      profile.remove();
    },
  };
}

/** How a page is shown. */
export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

/** A page in the browser. */
export interface BrowserPage {
  /** The value of an expression; a promise is awaited. */
  readonly evaluate: <A>(expression: string) => Promise<A>;
  /** Waits until the expression is true; `what` is said if it never is. */
  readonly until: (what: string, expression: string, withinMs?: number) => Promise<void>;
  readonly goTo: (url: string) => Promise<void>;
  /** Clicks where the expression's element is. */
  readonly click: (element: string) => Promise<void>;
  /** Types a text where the focus is. */
  readonly write: (text: string) => Promise<void>;
  /** Presses a key, for example `End`, `Control+Enter`. */
  readonly press: (keys: string) => Promise<void>;
  readonly screenshot: (path: string) => Promise<void>;
  /** Errors on the console, exceptions and violations of the page's policy so far. */
  readonly problems: readonly string[];
  readonly close: () => Promise<void>;
}

/** A browser. */
export interface Browser {
  readonly page: (url: string, screen?: Screen) => Promise<BrowserPage>;
  readonly close: () => Promise<void>;
}

const OPEN_MS_MAX = 30_000;
const UNTIL_MS = 15_000;
const PORT_FILE = "DevToolsActivePort";

/** Opens a browser. */
export async function openBrowser(chromium: string): Promise<Browser> {
  const running = startChromium(chromium, { flags: ["--remote-debugging-port=0"], address: "about:blank" });
  const file = join(running.profile, PORT_FILE);
  const lines = () => (existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []);
  const [port, path] = await until("the browser listens", async () => lines(), {
    holds: ({ length }) => length === 2,
    withinMs: OPEN_MS_MAX,
  });
  const link = await Link.open(`ws://127.0.0.1:${port}${path}`);
  return {
    page: (url, screen) => openPage(link, { url, ...(screen === undefined ? {} : { screen }) }),
    close: async () => {
      link.close();
      await running.close();
    },
  };
}

type Params = Readonly<Record<string, unknown>>;

interface Said {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

/** The protocol's connection: requests by number, events by session. */
class Link {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Params>>();
  readonly #heard = new Map<string, (method: string, params: Params) => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(String(data)) as Said));
  }

  static async open(url: string): Promise<Link> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("error", () => reject(new Error("The browser does not answer.")), { once: true });
    });
    return new Link(socket);
  }

  send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = ++this.#count;
    const answer = Promise.withResolvers<Params>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    return answer.promise;
  }

  hear(sessionId: string, take: (method: string, params: Params) => void): void {
    this.#heard.set(sessionId, take);
  }

  close(): void {
    this.#socket.close();
  }

  #take({ id, sessionId, method, params, result, error }: Said): void {
    if (id === undefined) {
      this.#heard.get(sessionId ?? "")?.(method ?? "", params ?? {});
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result ?? {});
    else waiting?.reject(new Error(error.message));
  }
}

const SCREEN: Screen = { width: 1_280, height: 860, scheme: "light" };

async function openPage(link: Link, { url, screen = SCREEN }: { url: string; screen?: Screen }): Promise<BrowserPage> {
  const { targetId } = await link.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await link.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method: string, params?: Params) => link.send(method, params, sessionId as string);
  const problems: string[] = [];
  link.hear(sessionId as string, (method, params) => {
    const problem = problemIn(method, params);
    if (problem !== undefined) problems.push(problem);
  });
  await Promise.all(["Page", "Runtime", "Log"].map((domain) => send(`${domain}.enable`)));
  await show(send, screen);
  const evaluate = async <A>(expression: string): Promise<A> => {
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = (await send("Runtime.evaluate", asked)) as Params & Evaluated;
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? "It threw.");
    return result.value as A;
  };
  const page: BrowserPage = {
    ...{ evaluate, problems },
    until: async (what, expression, withinMs = UNTIL_MS) => {
      await until(what, () => evaluate<boolean>(`Boolean(${expression})`), { holds: (is) => is, withinMs });
    },
    goTo: async (to) => {
      await send("Page.navigate", { url: to });
      await page.until(`${to} is loaded`, `location.href !== "about:blank" && document.readyState === "complete"`);
    },
    click: async (element) => {
      await page.until(`${element} is there`, `${element} !== null`);
      const middle = `(() => { const e = ${element}; e.scrollIntoView({ block: "nearest" }); const b = e.getBoundingClientRect(); return { x: b.x + b.width / 2, y: b.y + b.height / 2 }; })()`;
      const at = { ...(await evaluate<{ x: number; y: number }>(middle)), button: "left", clickCount: 1 };
      await send("Input.dispatchMouseEvent", { type: "mousePressed", ...at });
      await send("Input.dispatchMouseEvent", { type: "mouseReleased", ...at });
    },
    write: async (text) => void (await send("Input.insertText", { text })),
    press: async (keys) => {
      for (const type of ["rawKeyDown", "keyUp"]) await send("Input.dispatchKeyEvent", { type, ...keyOf(keys) });
    },
    screenshot: async (path) => {
      const { data } = await send("Page.captureScreenshot", { format: "png" });
      await Bun.write(path, Buffer.from(data as string, "base64"));
    },
    close: async () => void (await link.send("Target.closeTarget", { targetId })),
  };
  await page.goTo(url);
  return page;
}

interface Evaluated {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly exception?: { readonly description?: string } };
}

async function show(send: (method: string, params: Params) => Promise<Params>, screen: Screen): Promise<void> {
  const { width, height, scheme } = screen;
  await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
}

/** What an event says is wrong; undefined if it says nothing of the kind. */
function problemIn(method: string, params: Params): string | undefined {
  switch (method) {
    case "Runtime.exceptionThrown":
      return `exception: ${JSON.stringify(params.exceptionDetails)}`;
    case "Runtime.consoleAPICalled":
      return params.type === "error" ? `console: ${JSON.stringify(params.args)}` : undefined;
    case "Log.entryAdded": {
      const { level, source, text, url = "" } = params.entry as Readonly<Record<string, string>>;
      // The browser notes every answer of 4xx; what the page makes of it is what is tested.
      return level === "error" && source !== "network" ? `${source}: ${text} ${url}` : undefined;
    }
    default:
      return undefined;
  }
}

const MODIFIERS: Readonly<Record<string, number>> = { Alt: 1, Control: 2, Meta: 4, Shift: 8 };
const KEYS: Readonly<Record<string, number>> = {
  ...{ Enter: 13, Escape: 27, Tab: 9, End: 35, Home: 36, ArrowDown: 40, ArrowUp: 38, ArrowLeft: 37, ArrowRight: 39 },
  ...{ Backspace: 8, a: 65 },
};

function keyOf(keys: string): Params {
  const [key = "", ...held] = keys.split("+").reverse();
  const modifiers = held.reduce((sum, name) => sum + (MODIFIERS[name] ?? 0), 0);
  // Chromium has its own commands behind shortcuts, which synthetic keys must name.
  const commands = keys === "Control+a" ? { commands: ["selectAll"] } : {};
  return {
    key,
    code: key.length === 1 ? `Key${key.toUpperCase()}` : key,
    windowsVirtualKeyCode: KEYS[key],
    modifiers,
    ...commands,
  };
}
