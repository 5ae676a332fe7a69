import { config } from "../api";
import { thisClient, thisSupport } from "./model/capability";
import { CallModel } from "./model/call-model";
import { DeviceModel } from "./model/device-model";
import { browserHostApi, HostModel } from "./model/host-model";
import { joinApiFor } from "./model/join-api";
import { JoinViewModel, type JoinPhase } from "./model/join-model";
import { browserPreferences, type PreferenceBox } from "./model/preferences";

/** Everything behind one open join link. */
export interface Session {
  readonly join: JoinViewModel;
  readonly devices: DeviceModel;
  readonly host: HostModel;
  readonly preferences: PreferenceBox;
  /** Loads the media library and warms the connection; safe to call often. */
  readonly preload: () => void;
  readonly dispose: () => void;
}

declare global {
  interface Window {
    /** Only in development and with `?debug=1`. */
    __parley?: { readonly room: unknown };
  }
}

const media = () => import("./media/livekit-room");

export function deviceModel(preferences: PreferenceBox): DeviceModel {
  return new DeviceModel({
    support: thisSupport(),
    media: navigator.mediaDevices,
    permissions: navigator.permissions,
    preferences,
  });
}

export function openSession(token: string): Session {
  const preferences = browserPreferences();
  const devices = deviceModel(preferences);
  const api = joinApiFor(token);
  const timers = {
    setTimeout: (run: () => void, ms: number) => window.setTimeout(run, ms),
    clearTimeout: (timer: unknown) => window.clearTimeout(timer as number | undefined),
  };
  const join = new JoinViewModel({
    api,
    support: thisSupport(),
    client: thisClient(),
    preferences,
    nowMs: Date.now,
    ...timers,
    createCall: () =>
      new CallModel({
        createRoom: async () => new (await media()).LiveKitRoom(),
        token: () => api.mediaToken(),
        devices,
        preferences,
        nowMs: Date.now,
        random: Math.random,
        ...timers,
      }),
  });
  const host = new HostModel(browserHostApi);
  // Lights off as soon as the meeting is over for this person, and on again for who is sent back to wait.
  let previous = join.store.get().phase;
  join.store.subscribe(() => {
    const { phase } = join.store.get();
    if (phase === previous) return;
    if (isOver(phase)) devices.release();
    else if (phase === "waiting" && isOver(previous)) void devices.resume();
    previous = phase;
  });
  let preloaded = false;
  const preload = () => {
    if (preloaded) return;
    preloaded = true;
    // Both are only a head start: without them joining takes a little longer.
    void Promise.all([media(), config()])
      .then(([{ prepare }, { media_url, dev }]) => {
        if (dev) exposeRoom(join);
        return prepare(media_url);
      })
      .catch(() => undefined);
  };
  if (new URLSearchParams(window.location.search).has("debug")) exposeRoom(join);
  return {
    join,
    devices,
    host,
    preferences,
    preload,
    dispose: () => {
      join.dispose();
      host.dispose();
      devices.dispose();
      delete window.__parley;
    },
  };
}

function isOver(phase: JoinPhase): boolean {
  switch (phase) {
    case "loading":
    case "too_early":
    case "prejoin":
    case "entering":
    case "waiting":
    case "call":
      return false;
    case "declined":
    case "removed":
    case "ended":
    case "cancelled":
    case "left":
    case "problem":
      return true;
  }
}

function exposeRoom(join: JoinViewModel): void {
  window.__parley = {
    get room() {
      return join.store.get().call?.rawRoom;
    },
  };
}
