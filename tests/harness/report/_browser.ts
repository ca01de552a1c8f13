/**
 * Drives Debian's Chromium over the DevTools protocol: opens a page, runs script in it, sends keys and clicks,
 * takes screenshots. One browser with a fresh profile per instance.
 */
const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--remote-debugging-port=0",
];

/** Why there is no browser to test with, as a suffix for a test's name; undefined where there is one. */
export const NO_BROWSER: string | undefined = await Deno.stat(CHROMIUM).then(
  () => undefined,
  () => " (needs Debian's chromium)",
);

interface Reply {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { message: string };
}

/** A running browser. */
export class Browser implements AsyncDisposable {
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  readonly #listeners = new Set<(reply: Reply) => void>();
  #id = 0;

  private constructor(
    private readonly child: Deno.ChildProcess,
    private readonly drained: Promise<void>,
    private readonly socket: WebSocket,
    private readonly profile: string,
  ) {
    socket.onmessage = ({ data }) => {
      const reply: Reply = JSON.parse(data);
      if (reply.id === undefined) return this.#listeners.forEach((listener) => listener(reply));
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if (reply.error) pending?.reject(new Error(reply.error.message));
      else pending?.resolve(reply.result);
    };
  }

  static async start(): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "bootwright-chromium-" });
    const child = new Deno.Command(CHROMIUM, {
      args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const [own, rest] = child.stderr.tee();
    let said = "";
    let url: string | undefined;
    const reader = own.pipeThrough(new TextDecoderStream()).getReader();
    while (url === undefined) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`${CHROMIUM} did not start: ${said}`);
      said += value;
      url = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    }
    await reader.cancel();
    const drained = rest.pipeTo(new WritableStream()).catch(() => {});
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new Browser(child, drained, socket, profile);
  }

  /** Calls a method of the protocol. */
  send<T = Record<string, unknown>>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#id;
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise<T>((resolve, reject) =>
      this.#pending.set(id, { resolve: (result) => resolve(result as T), reject })
    );
  }

  /** Resolves when an event of a session comes. */
  next(method: string, sessionId: string): Promise<void> {
    return new Promise((resolve) => {
      const listener = (reply: Reply) => {
        if (reply.method !== method || reply.sessionId !== sessionId) return;
        this.#listeners.delete(listener);
        resolve();
      };
      this.#listeners.add(listener);
    });
  }

  /** Tells of every event of a session. */
  onEvent(sessionId: string, listener: (method: string, params: Record<string, unknown>) => void): void {
    this.#listeners.add((reply) => {
      if (reply.sessionId === sessionId && reply.method) listener(reply.method, reply.params ?? {});
    });
  }

  /** Opens a page in a window of the given size. */
  async open(url: string, size: { width: number; height: number; dark?: boolean }): Promise<Page> {
    const { targetId } = await this.send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    const page = new Page(this, sessionId, targetId);
    await page.prepare(url, size);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("Browser.close").catch(() => {});
    await this.child.status;
    await this.drained;
    if (this.socket.readyState < WebSocket.CLOSING) this.socket.close();
    await Deno.remove(this.profile, { recursive: true }).catch(() => {});
  }
}

/** An open page. */
export class Page {
  /** What went wrong in it: exceptions, console errors, refusals of its security policy, requests to anywhere. */
  readonly complaints: string[] = [];

  constructor(
    private readonly browser: Browser,
    private readonly sessionId: string,
    private readonly targetId: string,
  ) {}

  async prepare(url: string, size: { width: number; height: number; dark?: boolean }): Promise<void> {
    const { width, height, dark = false } = size;
    this.browser.onEvent(this.sessionId, (method, params) => {
      const at = JSON.stringify(params);
      if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") this.complaints.push(at);
      if (method !== "Network.requestWillBeSent") return;
      const requested = (params.request as { url: string }).url;
      if (requested !== url) this.complaints.push(`requested ${requested}`);
    });
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.send(`${domain}.enable`);
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    await this.send("Emulation.setFocusEmulationEnabled", { enabled: true });
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
    });
    await this.browser.send("Browser.grantPermissions", {
      permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"],
    });
    const loaded = this.browser.next("Page.loadEventFired", this.sessionId);
    await this.send("Page.navigate", { url });
    await loaded;
  }

  send<T = Record<string, unknown>>(method: string, params: object = {}): Promise<T> {
    return this.browser.send<T>(method, params, this.sessionId);
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    }>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? "the page threw");
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`))) {
      if (performance.now() > deadline) throw new Error(`The page never came to: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Clicks on the middle of an element, scrolling to it if need be. */
  async click(selector: string): Promise<void> {
    const { x, y } = await this.evaluate<{ x: number; y: number }>(`(async () => {
      const node = document.querySelector(${JSON.stringify(selector)});
      node.scrollIntoViewIfNeeded?.();
      // What comes into sight can be hit once it has been drawn.
      for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
      const { left, top, width, height } = node.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  /** Types text where the focus is. */
  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** Presses a key: "Enter", "/", "ArrowDown". */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? key : key === "Enter" ? "\r" : undefined;
    const code =
      { Enter: 13, Tab: 9, Escape: 27, ArrowDown: 40, ArrowUp: 38, ArrowLeft: 37, ArrowRight: 39 }[key];
    const event = { key, text, windowsVirtualKeyCode: code ?? key.charCodeAt(0) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
  }

  /** A screenshot as PNG. @param whole Of the whole page, not only of what is in sight. */
  async screenshot(whole = false): Promise<Uint8Array> {
    const { data } = await this.send<{ data: string }>("Page.captureScreenshot", {
      format: "png",
      captureBeyondViewport: whole,
    });
    return Uint8Array.fromBase64(data);
  }

  async close(): Promise<void> {
    await this.browser.send("Target.closeTarget", { targetId: this.targetId });
  }
}
