import { afterEach, describe, expect, it, vi } from "vitest";
import { apiUrl, onSignedOut, request } from "./client";
import { memberStream } from "./member-stream";
import { ApiError, isApiError, problemFrom } from "./problem";
import { retryDelay, stream, type StreamState } from "./sse";

function answer(status: number, body: string, type = "application/json"): void {
  vi.stubGlobal(
    "fetch",
    vi.fn(() =>
      Promise.resolve(
        new Response(status === 204 ? null : body, { status, headers: { "Content-Type": type } }),
      ),
    ),
  );
}

function sent(): RequestInit {
  return vi.mocked(fetch).mock.calls[0]?.[1] ?? {};
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error("expected an ApiError");
  return error;
}

afterEach(() => vi.unstubAllGlobals());

describe("apiUrl", () => {
  it("leaves out what is empty and escapes the rest", () => {
    expect(apiUrl("/x", { a: 1, b: "", c: null, d: undefined, e: "ü &" })).toBe(
      "/api/v1/x?a=1&e=%C3%BC+%26",
    );
    expect(apiUrl("/x")).toBe("/api/v1/x");
  });
});

describe("request", () => {
  it("gives the JSON of a success and nothing for 204", async () => {
    answer(200, '{"ok":true}');
    expect(await request("GET", "/x")).toEqual({ ok: true });
    answer(204, "");
    expect(await request("POST", "/x")).toBeUndefined();
  });

  it("marks unsafe methods for the CSRF check and passes the idempotency key", async () => {
    answer(201, "{}");
    await request("POST", "/x", { body: { a: 1 }, idempotencyKey: "k" });
    const headers = new Headers(sent().headers);
    expect(headers.get("X-Parley-CSRF")).toBe("1");
    expect(headers.get("Idempotency-Key")).toBe("k");
    expect(sent().body).toBe('{"a":1}');
    answer(200, "{}");
    await request("GET", "/x");
    expect(new Headers(sent().headers).has("X-Parley-CSRF")).toBe(false);
  });

  it("turns a problem into an ApiError with its code, text and fields", async () => {
    answer(
      422,
      JSON.stringify({
        code: "validation_failed",
        detail: "Please check.",
        errors: [{ field: "client.email", code: "invalid", detail: "No address." }, 7],
      }),
      "application/problem+json",
    );
    const error = await failure(request("POST", "/x"));
    expect(error).toMatchObject({ code: "validation_failed", status: 422, detail: "Please check." });
    expect(error.fields).toEqual([
      { field: "client.email", code: "invalid", detail: "No address." },
    ]);
    expect(error.passing).toBe(false);
  });

  it("says when the answer is not ours", async () => {
    answer(200, "<html>Wi-Fi login</html>", "text/html");
    expect(await failure(request("GET", "/x"))).toMatchObject({ code: "bad_answer" });
    answer(502, "<html>Bad gateway</html>", "text/html");
    const error = await failure(request("GET", "/x"));
    expect(error).toMatchObject({ code: "bad_answer", status: 502, passing: true });
  });

  it("says when no answer came", async () => {
    vi.stubGlobal(
      "fetch",
      vi.fn(() => Promise.reject(new TypeError("Failed to fetch"))),
    );
    expect(await failure(request("GET", "/x"))).toMatchObject({ code: "network", status: 0 });
  });

  it("passes the caller's abort on as it is", async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(request("GET", "/x", { signal: controller.signal })).rejects.toMatchObject({
      name: "AbortError",
    });
  });
});

describe("onSignedOut", () => {
  const problem = (code: string) => JSON.stringify({ code });

  it("tells of an ended session, not of a wrong password", async () => {
    const told = vi.fn();
    const stop = onSignedOut(told);
    answer(401, problem("credentials_wrong"));
    await failure(request("POST", "/auth/login"));
    expect(told).not.toHaveBeenCalled();
    answer(401, problem("not_signed_in"));
    await failure(request("GET", "/x"));
    expect(told).toHaveBeenCalledTimes(1);
    stop();
    await failure(request("GET", "/x"));
    expect(told).toHaveBeenCalledTimes(1);
  });

  it("tells of it also when a member's stream breaks", async () => {
    vi.stubGlobal("EventSource", { CLOSED: 2 });
    Source.made.length = 0;
    answer(401, problem("not_signed_in"));
    let tell = () => undefined as void;
    const told = new Promise<void>((resolve) => (tell = resolve));
    const stopListening = onSignedOut(tell);
    const stop = memberStream({ events: {}, source: () => new Source() as unknown as EventSource });
    expect(fetch).not.toHaveBeenCalled();
    Source.made[0]?.onerror?.();
    await told;
    expect(vi.mocked(fetch).mock.calls[0]?.[0]).toBe("/api/v1/me");
    stop();
    stopListening();
  });
});

describe("problemFrom", () => {
  it("survives any body", () => {
    expect(problemFrom(500, null).code).toBe("bad_answer");
    expect(problemFrom(418, {}).code).toBe("http_418");
    expect(problemFrom(400, { code: 7, errors: "x", detail: [] })).toMatchObject({
      code: "http_400",
      detail: "",
      fields: [],
    });
  });

  it("is told apart by code", () => {
    const error = new ApiError("slot_taken", 409);
    expect(isApiError(error)).toBe(true);
    expect(isApiError(error, "slot_taken", "other")).toBe(true);
    expect(isApiError(error, "other")).toBe(false);
    expect(isApiError(new Error("slot_taken"), "slot_taken")).toBe(false);
  });
});

/** An EventSource that the test drives. */
class Source extends EventTarget {
  static readonly made: Source[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  constructor() {
    super();
    Source.made.push(this);
  }
  close(): void {
    this.readyState = 2;
  }
  say(name: string, data: string): void {
    this.dispatchEvent(new MessageEvent(name, { data }));
  }
}

describe("stream", () => {
  it("waits longer from try to try, up to a bound", () => {
    expect([0, 1, 2, 3, 20].map((attempt) => retryDelay(attempt, 0.5))).toEqual([
      1000, 2000, 4000, 8000, 20000,
    ]);
    expect(retryDelay(0, 0)).toBe(750);
    expect(retryDelay(0, 1)).toBe(1250);
  });

  it("hands out events, comes back after an error, and ends", () => {
    vi.useFakeTimers();
    vi.stubGlobal("EventSource", { CLOSED: 2 });
    Source.made.length = 0;
    const got: unknown[] = [];
    const states: StreamState[] = [];
    const stop = stream({
      url: "/x",
      events: { join: (data) => got.push(data) },
      onState: (state) => states.push(state),
      source: () => new Source() as unknown as EventSource,
    });
    const first = Source.made[0];
    first?.onopen?.();
    first?.say("join", '{"phase":"open"}');
    first?.say("join", "not json");
    first?.onerror?.();
    first?.say("join", '{"phase":"waiting"}');
    expect(first?.readyState).toBe(2);
    vi.advanceTimersByTime(2000);
    expect(Source.made.length).toBe(2);
    Source.made[1]?.onopen?.();
    Source.made[1]?.say("join", '{"phase":"admitted"}');
    stop();
    Source.made[1]?.say("join", '{"phase":"ended"}');
    Source.made[1]?.onerror?.();
    vi.advanceTimersByTime(60_000);
    expect(Source.made.length).toBe(2);
    expect(got).toEqual([{ phase: "open" }, { phase: "waiting" }, { phase: "admitted" }]);
    expect(states).toEqual(["connecting", "live", "broken", "broken", "live"]);
    vi.useRealTimers();
  });
});
