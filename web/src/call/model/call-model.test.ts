import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../api";
import {
  ConnectError,
  type MediaRoom,
  type PeerSnapshot,
  type RoomEvent,
} from "../media/media-room";
import { CallModel, GIVE_UP_MS, type CallEnd } from "./call-model";
import { DeviceModel } from "./device-model";
import { PreferenceBox } from "./preferences";

/** A room whose connection does what the test says. */
class ScriptedRoom implements MediaRoom {
  readonly raw = null;
  readonly inputs: string[] = [];
  closed = false;
  present: PeerSnapshot[] = [person("me", true), person("ada")];
  #listeners = new Set<(event: RoomEvent) => void>();

  constructor(readonly outcome: () => Promise<void>) {}

  async connect(): Promise<void> {
    await this.outcome();
    this.tell({ kind: "signal_connected" });
  }
  close = () => {
    this.closed = true;
    return Promise.resolve();
  };
  peers = () => this.present;
  setInput = (source: string, _track: unknown, on: boolean) => {
    this.inputs.push(`${source} ${on ? "on" : "off"}`);
    return Promise.resolve();
  };
  share: () => Promise<void> = () => Promise.resolve();
  startShare = () => this.share();
  stopShare = () => Promise.resolve();
  setSpeaker = () => Promise.resolve();
  unblockAudio = () => Promise.resolve();
  listen = (listener: (event: RoomEvent) => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
  tell(event: RoomEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function person(identity: string, isLocal = false): PeerSnapshot {
  return {
    identity,
    name: identity,
    isLocal,
    speaking: false,
    quality: "good",
    joinedMs: 0,
    microphoneOn: true,
    cameraOn: false,
    camera: null,
    screen: null,
  };
}

const fine = () => Promise.resolve();
const failing = (failure: ConnectError["failure"]) => () =>
  Promise.reject(new ConnectError(failure));

let rooms: ScriptedRoom[];
let outcomes: (() => Promise<void>)[];
let tokens: number;
let tokenError: ApiError | null;
let ends: CallEnd[];
let call: CallModel;

beforeEach(() => {
  vi.useFakeTimers();
  rooms = [];
  outcomes = [];
  tokens = 0;
  tokenError = null;
  ends = [];
  const preferences = new PreferenceBox(null);
  call = new CallModel({
    createRoom: () => {
      const room = new ScriptedRoom(outcomes.shift() ?? fine);
      rooms.push(room);
      return Promise.resolve(room);
    },
    token: () => {
      tokens += 1;
      return tokenError
        ? Promise.reject(tokenError)
        : Promise.resolve({
            url: "wss://host",
            token: `token-${tokens}`,
            room: "r",
            identity: "me",
          });
    },
    devices: new DeviceModel({
      support: "ok",
      media: undefined,
      permissions: undefined,
      preferences,
    }),
    preferences,
    nowMs: () => Date.now(),
    random: () => 0.5,
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
  });
  call.onEnd = (end) => ends.push(end);
  return () => vi.useRealTimers();
});

const state = () => call.store.get();
const room = () => rooms.at(-1) as ScriptedRoom;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("CallModel", () => {
  it("connects, shows who is there and publishes as soon as signalling stands", async () => {
    await call.start();
    await pass(0);
    expect(state()).toMatchObject({ connection: "connected", established: true });
    expect(state().tiles.map(({ identity }) => identity)).toEqual(["ada", "me"]);
    expect(room().inputs).toContain("microphone off");
  });

  it("says nothing of a resume that is quick, and speaks of one that is not", async () => {
    await call.start();
    room().tell({ kind: "resuming" });
    expect(state().connection).toBe("resuming");
    room().tell({ kind: "reconnected" });
    expect(state()).toMatchObject({ connection: "connected", announcement: null });
    room().tell({ kind: "resuming" });
    await pass(3_000);
    expect(state().connection).toBe("reconnecting");
    expect(state().announcement?.kind).toBe("reconnecting");
    room().tell({ kind: "reconnected" });
    expect(state().announcement?.kind).toBe("reconnected");
  });

  it("comes back with a new token and a new room after the connection was lost", async () => {
    await call.start();
    outcomes = [failing("unreachable"), failing("unreachable"), fine];
    room().tell({ kind: "closed", reason: "lost" });
    await pass(0);
    expect(state().connection).toBe("retrying");
    expect(state().nextAttemptMs).toBeGreaterThan(Date.now());
    expect(state().tiles).toHaveLength(2);
    await pass(10_000);
    expect(state()).toMatchObject({ connection: "connected", nextAttemptMs: null });
    expect(tokens).toBe(4);
    expect(rooms.slice(0, -1).every(({ closed }) => closed)).toBe(true);
    expect(ends).toEqual([]);
  });

  it("comes back after the server was away for a minute", async () => {
    await call.start();
    tokenError = new ApiError("network", 0);
    room().tell({ kind: "closed", reason: "lost" });
    await pass(60_000);
    expect(state().connection).toBe("retrying");
    tokenError = null;
    await pass(10_000);
    expect(state().connection).toBe("connected");
  });

  it("gives up in the end, and Rejoin starts anew", async () => {
    await call.start();
    tokenError = new ApiError("network", 0);
    room().tell({ kind: "closed", reason: "lost" });
    await pass(GIVE_UP_MS + 20_000);
    expect(state()).toMatchObject({ connection: "failed", failure: "server_gone" });
    tokenError = null;
    await call.retryNow();
    expect(state()).toMatchObject({ connection: "connected", failure: null });
  });

  it("blames the network when signalling works twice and media does not", async () => {
    outcomes = [failing("media_blocked"), failing("media_blocked")];
    await call.start();
    await pass(5_000);
    expect(state()).toMatchObject({ connection: "failed", failure: "media_blocked" });
    await call.retryNow();
    expect(state().connection).toBe("connected");
  });

  it("asks for another token when the first is refused, but not for ever", async () => {
    outcomes = [failing("refused"), fine];
    await call.start();
    await pass(5_000);
    expect(state().connection).toBe("connected");
    expect(tokens).toBe(2);
    outcomes = [failing("refused"), failing("refused"), failing("refused")];
    room().tell({ kind: "closed", reason: "lost" });
    await pass(60_000);
    expect(state()).toMatchObject({ connection: "failed", failure: "refused" });
  });

  it.each(["not_admitted", "room_full", "link_expired"] as const)(
    "hands %s to the page",
    async (code) => {
      tokenError = new ApiError(code, 409);
      await call.start();
      expect(ends).toEqual([code]);
    },
  );

  it.each(["removed", "room_closed", "replaced"] as const)(
    "does not come back after %s",
    async (reason) => {
      await call.start();
      room().tell({ kind: "closed", reason });
      await pass(60_000);
      expect(ends).toEqual([reason]);
      expect(rooms).toHaveLength(1);
    },
  );

  it("comes back when the SDK itself left, as on a frozen page", async () => {
    await call.start();
    room().tell({ kind: "closed", reason: "left" });
    await pass(2_000);
    expect(state().connection).toBe("connected");
    expect(rooms).toHaveLength(2);
  });

  it("stays closed once it is closed", async () => {
    await call.start();
    await call.close();
    room().tell({ kind: "closed", reason: "lost" });
    await pass(60_000);
    expect(state().connection).toBe("closed");
    expect(rooms).toHaveLength(1);
  });

  it("announces who joins and leaves", async () => {
    await call.start();
    room().tell({ kind: "peer_joined", name: "Ada" });
    expect(state().announcement).toMatchObject({ kind: "joined", name: "Ada" });
    const before = state().announcement?.id;
    room().tell({ kind: "peer_left", name: "Ada" });
    expect(state().announcement).toMatchObject({ kind: "left", name: "Ada" });
    expect(state().announcement?.id).not.toBe(before);
  });

  it("lets go of a pin when the pinned person leaves", async () => {
    await call.start();
    await pass(0);
    call.togglePin("ada/person");
    expect(state()).toMatchObject({ pinnedId: "ada/person", focusId: "ada/person" });
    room().present = [person("me", true)];
    room().tell({ kind: "changed" });
    await pass(0);
    expect(state()).toMatchObject({ pinnedId: null, focusId: "me/person" });
  });

  it("takes a closed picker for a change of mind, and a refusal of the system for a trouble", async () => {
    await call.start();
    room().share = () => Promise.reject(Object.assign(new Error(""), { name: "NotAllowedError" }));
    await call.toggleShare();
    expect(state()).toMatchObject({ sharing: "off", shareProblem: null });
    room().share = () =>
      Promise.reject(
        Object.assign(new Error("Permission denied by system"), { name: "NotAllowedError" }),
      );
    await call.toggleShare();
    expect(state()).toMatchObject({ sharing: "off", shareProblem: "denied_by_system" });
    room().share = fine;
    await call.toggleShare();
    expect(state().sharing).toBe("on");
    room().tell({ kind: "share_ended" });
    expect(state().sharing).toBe("off");
  });
});
