import { describe, expect, it } from "vitest";
import { ApiError, type Appointment } from "../../api";
import { backoffMs, REJOIN_BACKOFF } from "./backoff";
import { detectClient, detectSupport } from "./capability";
import { callTime, ServerClock } from "./clock";
import { verdictOf } from "./connection-check";
import { deviceProblem } from "./device-problem";
import { HostModel, type HostApi } from "./host-model";
import { levelOf, smooth } from "./level-meter";
import { DEFAULT_PREFERENCES, PreferenceBox } from "./preferences";
import { focusPlace, shortcutFor } from "./shortcuts";

describe("callTime", () => {
  const start = 1_000_000;
  const end = start + 30 * 60_000;
  it.each([
    [start + 65_000, 65, 1735, "on_time"],
    [end - 5 * 60_000, 1500, 300, "ending_soon"],
    [end, 1800, 0, "ending_soon"],
    [end + 61_000, 1861, -61, "overtime"],
    [start - 5_000, 0, 1805, "on_time"],
  ])("at %i", (now, elapsedS, leftS, state) => {
    expect(callTime(start, end, now)).toEqual({ elapsedS, leftS, state });
  });
});

describe("ServerClock", () => {
  it("follows the server and ignores nonsense", () => {
    const clock = new ServerClock();
    clock.learn("2026-11-21T09:00:00Z", 5_000);
    expect(clock.now(6_000)).toBe(Date.parse("2026-11-21T09:00:01Z"));
    clock.learn("yesterday", 0);
    expect(clock.now(6_000)).toBe(Date.parse("2026-11-21T09:00:01Z"));
  });
});

describe("backoffMs", () => {
  it("doubles up to the limit and spreads", () => {
    const delays = [0, 1, 2, 3, 9].map((attempt) => backoffMs(REJOIN_BACKOFF, attempt, 1));
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000]);
    expect(backoffMs(REJOIN_BACKOFF, 4, 0)).toBe(5600);
  });
});

describe("deviceProblem", () => {
  it.each([
    ["NotAllowedError", "Permission denied", "denied"],
    ["NotAllowedError", "Permission denied by system", "denied_by_system"],
    ["NotFoundError", "", "not_found"],
    ["OverconstrainedError", "", "not_found"],
    ["NotReadableError", "", "in_use"],
    ["AbortError", "", "in_use"],
    ["SecurityError", "", "insecure"],
    ["TypeError", "", "unsupported"],
    ["Strange", "", "failed"],
  ])("%s %s", (name, message, problem) => {
    expect(deviceProblem({ name, message })).toBe(problem);
  });
});

describe("detectClient", () => {
  const macSafari =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15";
  it.each([
    [macSafari, 0, "safari", "macos", "desktop"],
    [macSafari, 5, "safari", "ios", "tablet"],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/122.0 Mobile/15E148 Safari/604.1",
      5,
      "chrome",
      "ios",
      "phone",
    ],
    [
      "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Mobile Safari/537.36",
      5,
      "chrome",
      "android",
      "phone",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Safari/537.36 Edg/122.0",
      0,
      "edge",
      "windows",
      "desktop",
    ],
    [
      "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      0,
      "firefox",
      "linux",
      "desktop",
    ],
  ])("%s", (userAgent, maxTouchPoints, browser, os, kind) => {
    expect(detectClient({ userAgent, maxTouchPoints })).toEqual({ browser, os, kind });
  });
});

describe("detectSupport", () => {
  it("tells an old browser, a page without HTTPS and a fine one apart", () => {
    const facts = { isSecureContext: true, hasPeerConnection: true, hasMediaDevices: true };
    expect(detectSupport(facts)).toBe("ok");
    expect(detectSupport({ ...facts, hasPeerConnection: false })).toBe("unsupported");
    expect(detectSupport({ ...facts, hasMediaDevices: false, isSecureContext: false })).toBe(
      "insecure",
    );
    expect(detectSupport({ ...facts, hasMediaDevices: false })).toBe("no_capture");
  });
});

describe("verdictOf", () => {
  it.each([
    [[20, 30, 25], true, "good"],
    [[300, 200, 250], true, "fair"],
    [[900, 700, 800], true, "poor"],
    [[], true, "offline"],
    [[20], false, "blocked"],
  ] as const)("%j", (roundTripsMs, canSendMedia, verdict) => {
    expect(verdictOf({ roundTripsMs, canSendMedia })).toBe(verdict);
  });
});

describe("level", () => {
  it("goes from silence to loud speech, rises at once and falls slowly", () => {
    expect(levelOf(new Float32Array(8))).toBe(0);
    expect(levelOf(new Float32Array(8).fill(0.9))).toBe(1);
    const speech = levelOf(new Float32Array(8).fill(0.03));
    expect(speech).toBeGreaterThan(0.4);
    expect(speech).toBeLessThan(0.8);
    expect(smooth(0.1, 0.9)).toBe(0.9);
    expect(smooth(0.9, 0)).toBeCloseTo(0.82);
  });
});

describe("PreferenceBox", () => {
  const box = (text: string | null) =>
    new PreferenceBox({ getItem: () => text, setItem: () => undefined });

  it.each(["not json", "null", "[]", '{"name": 7, "cameraOn": "yes", "layout": "spiral"}', null])(
    "falls back to the defaults on %s",
    (text) => {
      expect(box(text).value).toEqual(DEFAULT_PREFERENCES);
    },
  );

  it("goes on when storage is full", () => {
    const full = new PreferenceBox({
      getItem: () => null,
      setItem: () => {
        throw new Error("QuotaExceededError");
      },
    });
    full.update({ name: "Ada" });
    expect(full.value.name).toBe("Ada");
  });
});

describe("shortcutFor", () => {
  const press = (key: string, change = {}) => ({
    type: "keydown" as const,
    key,
    repeat: false,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    ...change,
  });

  it("knows its keys", () => {
    expect(shortcutFor(press("m"), "call")).toBe("microphone");
    expect(shortcutFor(press("V"), "control")).toBe("camera");
    expect(shortcutFor(press("?"), "call")).toBe("help");
    expect(shortcutFor(press(" "), "call")).toBe("talk_start");
    expect(shortcutFor(press(" ", { type: "keyup" }), "call")).toBe("talk_end");
  });

  it("leaves typing, buttons and the browser's own keys alone", () => {
    expect(shortcutFor(press("m"), "text")).toBeNull();
    expect(shortcutFor(press(" "), "control")).toBeNull();
    expect(shortcutFor(press("m", { ctrlKey: true }), "call")).toBeNull();
    expect(shortcutFor(press("m", { repeat: true }), "call")).toBeNull();
  });

  it("sees where the focus is", () => {
    document.body.innerHTML =
      '<input /><button><span id="in"></span></button><div role="dialog"><p id="deep"></p></div>';
    expect(focusPlace(document.querySelector("input"))).toBe("text");
    expect(focusPlace(document.querySelector("#in"))).toBe("control");
    expect(focusPlace(document.querySelector("#deep"))).toBe("text");
    expect(focusPlace(document.body)).toBe("call");
  });
});

describe("HostModel", () => {
  const waiting = (id: string, state: "waiting" | "admitted") => ({
    participant_id: id,
    name: `Name of ${id}`,
    since: "2026-11-21T09:00:00Z",
    device: null,
    state,
  });
  const appointment = (...people: ReturnType<typeof waiting>[]) =>
    ({ id: "a1", number: "C-1", waiting: people }) as unknown as Appointment;

  function setUp(found: Appointment | null) {
    let tell: (appointment: Appointment) => void = () => undefined;
    let missed: () => void = () => undefined;
    const stored = { read: () => Promise.resolve(appointment()) };
    const log: string[] = [];
    let failure: ApiError | null = null;
    const api: HostApi = {
      find: () => Promise.resolve(found),
      read: () => stored.read(),
      follow: (listener, onMissed) => {
        tell = listener;
        missed = onMissed;
        return () => log.push("stopped");
      },
      admit: (id, participant) => {
        log.push(`admit ${id} ${participant}`);
        return Promise.resolve(appointment(waiting(participant, "admitted")));
      },
      decline: () => Promise.reject(new Error("offline")),
      end: () => (failure ? Promise.reject(failure) : Promise.resolve(appointment())),
    };
    return {
      model: new HostModel(api),
      tell: (one: Appointment) => tell(one),
      missed: () => missed(),
      stored,
      fail: (error: ApiError) => (failure = error),
      log,
    };
  }

  it("is nothing for those who are not signed in", async () => {
    const { model } = setUp(null);
    await model.start("C-1", "2026-11-21T09:00:00Z");
    expect(model.store.get().canHost).toBe(false);
    expect(await model.endForAll()).toBe(false);
  });

  it("shows who waits, and admits", async () => {
    const { model, tell, log } = setUp(appointment());
    await model.start("C-1", "2026-11-21T09:00:00Z");
    expect(model.store.get()).toMatchObject({ canHost: true, waiting: [] });
    tell(appointment(waiting("p1", "waiting"), waiting("p2", "admitted")));
    expect(model.store.get().waiting.map(({ participantId }) => participantId)).toEqual(["p1"]);
    await model.admit("p1");
    expect(log).toContain("admit a1 p1");
    expect(model.store.get()).toMatchObject({ waiting: [], busy: [], error: null });
  });

  it("reads again what it may have missed, unless an event was faster", async () => {
    const { model, tell, missed, stored } = setUp(appointment());
    await model.start("C-1", "2026-11-21T09:00:00Z");
    const names = () => model.store.get().waiting.map(({ participantId }) => participantId);
    stored.read = () => Promise.resolve(appointment(waiting("p1", "waiting")));
    missed();
    await Promise.resolve();
    await Promise.resolve();
    expect(names()).toEqual(["p1"]);
    let answer: (read: Appointment) => void = () => undefined;
    stored.read = () => new Promise((resolve) => (answer = resolve));
    missed();
    tell(appointment(waiting("p2", "waiting")));
    answer(appointment());
    await Promise.resolve();
    await Promise.resolve();
    expect(names()).toEqual(["p2"]);
  });

  it("knows a consultation that has not begun from a broken connection", async () => {
    const { model, fail } = setUp(appointment());
    await model.start("C-1", "2026-11-21T09:00:00Z");
    fail(new ApiError("appointment_not_started", 409));
    expect(await model.endForAll()).toBe(false);
    expect(model.store.get()).toMatchObject({ error: "end_not_started", ending: false });
    fail(new ApiError("network", 0));
    expect(await model.endForAll()).toBe(false);
    expect(model.store.get().error).toBe("end_failed");
  });

  it("says when something did not work, and ignores other appointments", async () => {
    const { model, tell } = setUp(appointment(waiting("p1", "waiting")));
    await model.start("C-1", "2026-11-21T09:00:00Z");
    await model.decline("p1");
    expect(model.store.get()).toMatchObject({ error: "admit_failed", busy: [] });
    tell({ ...appointment(), id: "other" });
    expect(model.store.get().waiting).toHaveLength(1);
    expect(await model.endForAll()).toBe(true);
  });
});
