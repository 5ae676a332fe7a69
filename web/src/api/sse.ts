/** How a live stream stands, for the page to show. */
export type StreamState = "connecting" | "live" | "broken";

export interface StreamOptions {
  readonly url: string;
  /** Called with the parsed JSON of each event of that name. */
  readonly events: Readonly<Record<string, (data: unknown) => void>>;
  readonly onState?: (state: StreamState) => void;
  /** For tests. */
  readonly source?: (url: string) => EventSource;
}

/** The server sends a comment every 15 s, which the browser hides; EventSource itself notices a cut. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 20_000;

/** Wait before the `attempt`-th (from 0) try: doubling, with up to a quarter of spread. */
export function retryDelay(attempt: number, random: number): number {
  const base = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), LAST_RETRY_MS);
  return Math.round(base * (0.75 + random * 0.5));
}

/**
 * Listens to server-sent events and comes back by itself: EventSource gives up for good on any HTTP
 * error, so a server that restarts behind a proxy would be lost without this. Returns a function
 * that ends it.
 */
export function stream(options: StreamOptions): () => void {
  const open = options.source ?? ((url) => new EventSource(url, { withCredentials: true }));
  let attempt = 0;
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  const connect = () => {
    clearTimeout(retry);
    source?.close();
    options.onState?.(attempt === 0 ? "connecting" : "broken");
    const current = open(options.url);
    source = current;
    current.onopen = () => {
      attempt = 0;
      options.onState?.("live");
    };
    current.onerror = () => {
      if (stopped || source !== current) return;
      // Closing ends the browser's own retry, so that only one of the two is at work.
      current.close();
      options.onState?.("broken");
      retry = setTimeout(connect, retryDelay(attempt, Math.random()));
      attempt += 1;
    };
    for (const [name, handle] of Object.entries(options.events)) {
      current.addEventListener(name, (event: MessageEvent<string>) => {
        const data = parse(event.data);
        if (data !== undefined && !stopped) handle(data);
      });
    }
  };

  // A laptop that wakes up should not wait out the delay.
  const now = () => {
    if (source?.readyState === EventSource.CLOSED) connect();
  };
  window.addEventListener("online", now);
  connect();
  return () => {
    stopped = true;
    clearTimeout(retry);
    window.removeEventListener("online", now);
    source?.close();
  };
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}
