import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, type JoinPhase, type JoinView } from "../../api";
import type { CallEnd, CallModel } from "./call-model";
import type { JoinApi } from "./join-api";
import { JoinViewModel } from "./join-model";
import { PreferenceBox } from "./preferences";

const NOW = Date.parse("2026-11-21T09:00:00Z");
const iso = (ms: number) => new Date(ms).toISOString();
const MINUTE = 60_000;

class Server implements JoinApi {
  phase: JoinPhase = "open";
  role: JoinView["role"] = "client";
  /** The server's clock. */
  now = NOW;
  opensAt = NOW - 5 * MINUTE;
  fails: ApiError | null = null;
  readonly log: string[] = [];
  listeners = new Set<(view: JoinView) => void>();

  current(): JoinView {
    return {
      phase: this.phase,
      now: iso(this.now),
      role: this.role,
      identity: "c1",
      display_name: "Jonas Weber",
      appointment: {
        number: "C-2026-000123",
        service_name: "First consultation",
        start: iso(NOW + 10 * MINUTE),
        end: iso(NOW + 40 * MINUTE),
        provider: { name: "Dr. Sommer", title: "", time_zone: "Europe/Berlin" },
        organisation: { name: "Praxis", labels: { provider: "Doctor", client: "Patient" } },
      },
      window: { opens_at: iso(this.opensAt), closes_at: iso(NOW + 55 * MINUTE) },
    };
  }

  #answer(what: string): Promise<JoinView> {
    this.log.push(what);
    return this.fails ? Promise.reject(this.fails) : Promise.resolve(this.current());
  }

  view = () => this.#answer("view");
  enter = (name: string) => this.#answer(`enter ${name}`);
  mediaToken = () => Promise.reject(new ApiError("not_admitted", 409));
  leave = () => {
    this.log.push("leave");
    return Promise.resolve();
  };
  follow = (listener: (view: JoinView) => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  tell(phase: JoinPhase): void {
    this.phase = phase;
    for (const listener of this.listeners) listener(this.current());
  }
}

interface Call {
  onConnected: () => void;
  onEnd: (end: CallEnd) => void;
  start: () => Promise<void>;
  close: () => Promise<void>;
}

let server: Server;
let calls: (Call & { closed: boolean })[];
let join: JoinViewModel;
let localNow: number;

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  calls = [];
  localNow = NOW;
  join = make("ok");
  return () => vi.useRealTimers();
});

function make(support: "ok" | "unsupported"): JoinViewModel {
  return new JoinViewModel({
    api: server,
    support,
    client: { browser: "firefox", os: "linux", kind: "desktop" },
    preferences: new PreferenceBox(null),
    createCall: () => {
      const call = {
        closed: false,
        onConnected: () => undefined,
        onEnd: () => undefined,
        start: () => Promise.resolve(),
        close: () => {
          call.closed = true;
          return Promise.resolve();
        },
      };
      calls.push(call);
      return call as unknown as CallModel;
    },
    nowMs: () => localNow,
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
  });
}

const phase = () => join.store.get().phase;
const flush = () => vi.advanceTimersByTimeAsync(0);

async function intoCall(): Promise<void> {
  await join.load();
  server.phase = "waiting";
  await join.join("Jonas");
  server.tell("admitted");
  await flush();
  calls.at(-1)?.onConnected();
}

describe("JoinViewModel", () => {
  it("goes from the link through the waiting room into the call without another click", async () => {
    await join.load();
    expect(phase()).toBe("prejoin");
    server.phase = "waiting";
    await join.join("  Jonas  ");
    expect(server.log).toContain("enter Jonas");
    expect(phase()).toBe("waiting");
    server.tell("admitted");
    await flush();
    expect(phase()).toBe("call");
    expect(calls).toHaveLength(1);
  });

  it("lets a provider straight in", async () => {
    server.role = "provider";
    await join.load();
    server.phase = "admitted";
    await join.join("Dr. Sommer");
    expect(phase()).toBe("call");
  });

  it("lets a provider who admitted someone in without a click, but no client and nobody too early", async () => {
    server.role = "provider";
    await join.load();
    server.phase = "admitted";
    await join.joinStraight();
    expect(phase()).toBe("call");
    expect(server.log).toContain("enter Jonas Weber");

    join = make("ok");
    server.role = "client";
    await join.load();
    await join.joinStraight();
    expect(phase()).toBe("prejoin");

    join = make("ok");
    server.role = "provider";
    server.phase = "too_early";
    await join.load();
    await join.joinStraight();
    expect(phase()).toBe("too_early");
  });

  it("does not let an older answer win over a newer event", async () => {
    await join.load();
    server.phase = "waiting";
    await join.join("Jonas");
    const old = server.current();
    server.now += 200;
    server.tell("admitted");
    await flush();
    for (const listener of server.listeners) listener(old);
    await flush();
    expect(phase()).toBe("call");
    expect(calls[0]?.closed).toBe(false);
    // A server whose clock was set back is still believed.
    server.now -= 3 * MINUTE;
    server.tell("waiting");
    await flush();
    expect(phase()).toBe("waiting");
  });

  it("waits for the window by the server's clock and then moves on by itself", async () => {
    server.phase = "too_early";
    server.opensAt = NOW + 3 * MINUTE;
    localNow = NOW - 20 * MINUTE; // this device is slow
    await join.load();
    expect(phase()).toBe("too_early");
    expect(join.nowMs()).toBe(NOW);
    server.phase = "open";
    server.now = NOW + 3 * MINUTE;
    await vi.advanceTimersByTimeAsync(2.9 * MINUTE);
    expect(phase()).toBe("too_early");
    await vi.advanceTimersByTimeAsync(0.2 * MINUTE);
    expect(phase()).toBe("prejoin");
  });

  it("is admitted also when the event stream is held back", async () => {
    await join.load();
    server.phase = "waiting";
    await join.join("Jonas");
    server.listeners.clear();
    server.phase = "admitted";
    await vi.advanceTimersByTimeAsync(16_000);
    expect(phase()).toBe("call");
  });

  it.each([
    ["declined", "declined"],
    ["ended", "ended"],
    ["cancelled", "cancelled"],
  ] as const)("shows %s from the waiting room and listens no more", async (told, shown) => {
    await join.load();
    server.phase = "waiting";
    await join.join("Jonas");
    server.tell(told);
    await flush();
    expect(phase()).toBe(shown);
    expect(server.listeners.size).toBe(0);
  });

  it("ends the call when the provider ends it for all", async () => {
    await intoCall();
    server.tell("ended");
    await flush();
    expect(phase()).toBe("ended");
    expect(calls[0]?.closed).toBe(true);
    expect(join.store.get()).toMatchObject({ joinedMs: NOW, leftMs: NOW });
  });

  it("goes back to the waiting room when sent back, and in again", async () => {
    await intoCall();
    server.tell("waiting");
    await flush();
    expect(phase()).toBe("waiting");
    expect(calls[0]?.closed).toBe(true);
    server.tell("admitted");
    await flush();
    expect(phase()).toBe("call");
    expect(calls).toHaveLength(2);
  });

  it("leaves once and can come back while the window is open", async () => {
    await intoCall();
    await join.leave();
    expect(phase()).toBe("left");
    expect(server.log.filter((entry) => entry === "leave")).toHaveLength(1);
    expect(join.canRejoin()).toBe(true);
    server.phase = "open";
    await join.rejoin();
    expect(phase()).toBe("prejoin");
    localNow = NOW + 60 * MINUTE;
    server.now = localNow;
    expect(join.canRejoin()).toBe(false);
  });

  it.each([
    ["link_invalid", 404],
    ["link_expired", 410],
    ["room_full", 409],
    ["too_many_attempts", 429],
  ] as const)("explains %s", async (code, status) => {
    server.fails = new ApiError(code, status);
    await join.load();
    expect(join.store.get()).toMatchObject({ phase: "problem", problem: { kind: code, code } });
  });

  it("explains a server that does not answer, and tries again on request", async () => {
    server.fails = new ApiError("network", 0);
    await join.load();
    expect(join.store.get().problem?.kind).toBe("server_unreachable");
    server.fails = null;
    await join.load();
    expect(phase()).toBe("prejoin");
  });

  it("keeps the prejoin page when joining fails for a while", async () => {
    await join.load();
    server.fails = new ApiError("network", 0);
    await join.join("Jonas");
    expect(join.store.get()).toMatchObject({ phase: "prejoin", enterError: "network" });
    server.fails = null;
    server.phase = "waiting";
    await join.join("Jonas");
    expect(join.store.get()).toMatchObject({ phase: "waiting", enterError: null });
  });

  it("does not start in a browser without WebRTC", async () => {
    join = make("unsupported");
    await join.load();
    expect(join.store.get().problem?.kind).toBe("unsupported");
    expect(server.log).toEqual([]);
  });

  it("tells the server when a waiting page is closed, but not when a call is reloaded", async () => {
    await join.load();
    join.pageHidden();
    expect(server.log).not.toContain("leave");
    server.phase = "waiting";
    await join.join("Jonas");
    join.pageHidden();
    expect(server.log.filter((entry) => entry === "leave")).toHaveLength(1);
    server.tell("admitted");
    await flush();
    join.pageHidden();
    expect(server.log.filter((entry) => entry === "leave")).toHaveLength(1);
  });

  it("asks what became of the appointment when the room closes", async () => {
    await intoCall();
    server.phase = "ended";
    calls[0]?.onEnd("room_closed");
    await flush();
    expect(phase()).toBe("ended");
  });

  it.each([true, false])(
    "is back in the waiting room when sent back (the server knew it first: %s)",
    async (first) => {
      await intoCall();
      server.phase = first ? "waiting" : "admitted";
      calls[0]?.onEnd("removed");
      await flush();
      expect(phase()).toBe(first ? "waiting" : "removed");
      server.tell("waiting");
      await flush();
      expect(phase()).toBe("waiting");
      server.tell("admitted");
      await flush();
      expect(phase()).toBe("call");
    },
  );

  it("says so when somebody was taken out of the call", async () => {
    await intoCall();
    server.phase = "admitted";
    calls[0]?.onEnd("removed");
    await flush();
    expect(phase()).toBe("removed");
  });

  it("says so when the same person joined elsewhere", async () => {
    await intoCall();
    calls[0]?.onEnd("replaced");
    await flush();
    expect(join.store.get()).toMatchObject({ phase: "problem", problem: { kind: "replaced" } });
  });
});
