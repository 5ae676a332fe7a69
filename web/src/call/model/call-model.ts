import { isApiError, type MediaToken } from "../../api";
import {
  ConnectError,
  type CloseReason,
  type MediaRoom,
  type PeerSnapshot,
  type RoomEvent,
} from "../media/media-room";
import { backoffMs, REJOIN_BACKOFF } from "./backoff";
import { focusOf, tilesOf, type Layout, type Tile } from "./call-layout";
import { deviceProblem, type DeviceProblem } from "./device-problem";
import type { DeviceModel } from "./device-model";
import { mark } from "./marks";
import type { PreferenceBox } from "./preferences";
import { Store } from "./store";

export type Connection =
  | "connecting"
  | "connected"
  /** Only the signalling is away; picture and sound go on. */
  | "resuming"
  | "reconnecting"
  /** Between two attempts of a new connection. */
  | "retrying"
  | "failed"
  | "closed";

/** Terminal troubles of the connection, each with its own advice. */
export type ConnectionFailure = "media_blocked" | "server_gone" | "refused" | "unexpected";

/** Ends that another page explains. */
export type CallEnd =
  | "not_admitted"
  | "removed"
  | "room_closed"
  | "replaced"
  | "room_full"
  | "link_expired"
  | "link_invalid";

export interface Person {
  readonly identity: string;
  readonly name: string;
  readonly isLocal: boolean;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly quality: PeerSnapshot["quality"];
}

export interface Announcement {
  readonly id: number;
  readonly kind:
    "joined" | "left" | "reconnecting" | "reconnected" | "share_started" | "share_ended";
  readonly name: string;
}

export interface CallState {
  connection: Connection;
  failure: ConnectionFailure | null;
  /** When the next attempt starts, milliseconds since 1970 by this machine's clock. */
  nextAttemptMs: number | null;
  /** Has been connected at least once. */
  established: boolean;
  tiles: readonly Tile[];
  people: readonly Person[];
  focusId: string | null;
  pinnedId: string | null;
  layout: Layout;
  audioBlocked: boolean;
  sharing: "off" | "starting" | "on";
  shareProblem: DeviceProblem | null;
  announcement: Announcement | null;
}

export interface CallPorts {
  createRoom: () => Promise<MediaRoom>;
  token: () => Promise<MediaToken>;
  devices: DeviceModel;
  preferences: PreferenceBox;
  nowMs: () => number;
  random: () => number;
  setTimeout: (run: () => void, ms: number) => unknown;
  clearTimeout: (timer: unknown) => void;
}

/** How long a broken call is tried again before the person is asked. A restarted server is back long before. */
export const GIVE_UP_MS = 10 * 60_000;
/** A resume that takes longer is a trouble to speak of; most are over before anybody could read of them. */
const RESUME_PATIENCE_MS = 2_500;
/** Attempts whose signalling works and whose media does not: after these the network is to blame. */
const MEDIA_ATTEMPTS = 2;

/** A call from the admission to the goodbye, across any number of connections. */
export class CallModel {
  readonly store: Store<CallState>;
  onConnected: () => void = () => undefined;
  onEnd: (end: CallEnd) => void = () => undefined;
  readonly #ports: CallPorts;
  #room: MediaRoom | null = null;
  #stopListening: () => void = () => undefined;
  #stopDevices: () => void = () => undefined;
  #retryTimer: unknown = null;
  #resumeTimer: unknown = null;
  #attempt = 0;
  #mediaFailures = 0;
  #troubleSinceMs: number | null = null;
  #announcements = 0;
  #snapshotPending = false;
  #isConnecting = false;
  #closed = false;

  constructor(ports: CallPorts) {
    this.#ports = ports;
    this.store = new Store<CallState>({
      connection: "connecting",
      failure: null,
      nextAttemptMs: null,
      established: false,
      tiles: [],
      people: [],
      focusId: null,
      pinnedId: null,
      layout: ports.preferences.value.layout,
      audioBlocked: false,
      sharing: "off",
      shareProblem: null,
      announcement: null,
    });
  }

  /** The SDK's room of the moment, for tests. */
  get rawRoom(): unknown {
    return this.#room?.raw;
  }

  async start(): Promise<void> {
    this.#stopDevices = this.#ports.devices.store.subscribe(() => this.#pushInputs());
    await this.#connect();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#ports.clearTimeout(this.#retryTimer);
    this.#ports.clearTimeout(this.#resumeTimer);
    this.#stopDevices();
    this.store.patch({ connection: "closed", nextAttemptMs: null });
    await this.#dropRoom();
  }

  /** "Try now" and "Rejoin": at once, and from the beginning of the patience. */
  async retryNow(): Promise<void> {
    const { connection } = this.store.get();
    if (connection !== "retrying" && connection !== "failed") return;
    this.#ports.clearTimeout(this.#retryTimer);
    if (connection === "failed") {
      this.#troubleSinceMs = null;
      this.#mediaFailures = 0;
      this.#attempt = 0;
    }
    await this.#connect();
  }

  setLayout(layout: Layout): void {
    this.#ports.preferences.update({ layout });
    this.store.patch({ layout });
  }

  /** Pins a tile, or lets go of the one that is pinned. */
  togglePin(tileId: string): void {
    this.store.patch({ pinnedId: this.store.get().pinnedId === tileId ? null : tileId });
    this.#refocus();
  }

  async toggleShare(): Promise<void> {
    const room = this.#room;
    const { sharing } = this.store.get();
    if (!room || sharing === "starting") return;
    if (sharing === "on") {
      await room.stopShare();
      this.store.patch({ sharing: "off" });
      this.#announce("share_ended");
      return;
    }
    this.store.patch({ sharing: "starting", shareProblem: null });
    try {
      await room.startShare();
      this.store.patch({ sharing: "on" });
      this.#announce("share_started");
    } catch (error) {
      const problem = deviceProblem(error);
      // Closing the picker is a change of mind, not a trouble.
      this.store.patch({ sharing: "off", shareProblem: problem === "denied" ? null : problem });
    }
  }

  dismissShareProblem(): void {
    this.store.patch({ shareProblem: null });
  }

  async unblockAudio(): Promise<void> {
    await this.#room?.unblockAudio().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    if (this.#closed) return;
    const again = this.store.get().established;
    this.store.patch({
      connection: again ? "reconnecting" : "connecting",
      failure: null,
      nextAttemptMs: null,
    });
    try {
      const [grant, room] = await Promise.all([this.#ports.token(), this.#ports.createRoom()]);
      mark("token");
      if (this.#closed) return;
      await this.#dropRoom();
      this.#room = room;
      this.#stopListening = room.listen((event) => this.#onRoomEvent(room, event));
      const { speakerId } = this.#ports.devices.store.get();
      if (speakerId !== "") void room.setSpeaker(speakerId).catch(() => undefined);
      this.#isConnecting = true;
      await room.connect(grant.url, grant.token);
      this.#isConnecting = false;
      this.#established();
    } catch (error) {
      this.#isConnecting = false;
      await this.#connectFailed(error);
    }
  }

  #established(): void {
    if (this.#closed) return;
    mark("pc-connected");
    const wasEstablished = this.store.get().established;
    this.#attempt = 0;
    this.#mediaFailures = 0;
    this.#troubleSinceMs = null;
    this.store.patch({ connection: "connected", established: true, nextAttemptMs: null });
    if (wasEstablished) this.#announce("reconnected");
    this.#snapshot();
    this.onConnected();
  }

  async #connectFailed(error: unknown): Promise<void> {
    if (this.#closed) return;
    await this.#dropRoom();
    if (error instanceof ConnectError) {
      if (error.failure === "cancelled") return;
      if (error.failure === "media_blocked") this.#mediaFailures += 1;
      if (error.failure === "unsupported") return this.#giveUp("unexpected");
      if (this.#mediaFailures >= MEDIA_ATTEMPTS) return this.#giveUp("media_blocked");
      // A refused token may have grown old on the way; a second one settles it.
      if (error.failure === "refused" && this.#attempt >= 2) return this.#giveUp("refused");
    } else if (isApiError(error) && !error.passing) {
      const end = endOfCode(error.code);
      if (end) this.onEnd(end);
      else this.#giveUp("unexpected");
      return;
    }
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closed) return;
    const now = this.#ports.nowMs();
    this.#troubleSinceMs ??= now;
    if (now - this.#troubleSinceMs > GIVE_UP_MS) return this.#giveUp("server_gone");
    const delayMs = backoffMs(REJOIN_BACKOFF, this.#attempt, this.#ports.random());
    this.#attempt += 1;
    this.store.patch({ connection: "retrying", nextAttemptMs: now + delayMs });
    this.#ports.clearTimeout(this.#retryTimer);
    this.#retryTimer = this.#ports.setTimeout(() => void this.#connect(), delayMs);
  }

  #giveUp(failure: ConnectionFailure): void {
    this.store.patch({ connection: "failed", failure, nextAttemptMs: null });
  }

  #onRoomEvent(room: MediaRoom, event: RoomEvent): void {
    if (this.#closed || room !== this.#room) return;
    switch (event.kind) {
      case "signal_connected":
        mark("signal-connected");
        // Publishing starts now, beside the media connection.
        this.#pushInputs();
        return;
      case "changed":
        this.#snapshotSoon();
        return;
      case "resuming":
        this.store.patch({ connection: "resuming" });
        this.#ports.clearTimeout(this.#resumeTimer);
        this.#resumeTimer = this.#ports.setTimeout(() => {
          if (this.store.get().connection === "resuming") this.#reconnecting();
        }, RESUME_PATIENCE_MS);
        return;
      case "reconnecting":
        this.#reconnecting();
        return;
      case "retry_in":
        this.store.patch({ nextAttemptMs: this.#ports.nowMs() + event.delayMs });
        return;
      case "reconnected": {
        const { connection } = this.store.get();
        this.store.patch({ connection: "connected", nextAttemptMs: null });
        if (connection === "reconnecting") this.#announce("reconnected");
        this.#pushInputs();
        this.#snapshotSoon();
        return;
      }
      case "peer_joined":
        this.#announce("joined", event.name);
        return;
      case "peer_left":
        this.#announce("left", event.name);
        return;
      case "audio_blocked":
        this.store.patch({ audioBlocked: event.blocked });
        return;
      case "share_ended":
        if (this.store.get().sharing === "on") this.#announce("share_ended");
        this.store.patch({ sharing: "off" });
        return;
      case "closed":
        void this.#roomClosed(event.reason);
    }
  }

  #reconnecting(): void {
    if (this.store.get().connection === "reconnecting") return;
    this.store.patch({ connection: "reconnecting" });
    this.#announce("reconnecting");
  }

  async #roomClosed(reason: CloseReason): Promise<void> {
    // A connection that is not made yet fails in `connect`, which is where that is handled.
    if (this.#isConnecting) return;
    await this.#dropRoom();
    this.store.patch({ sharing: "off" });
    switch (reason) {
      // Not by us, who had stopped listening: the SDK leaves when a phone freezes the page.
      case "left":
      case "lost":
      case "refused":
        if (this.store.get().connection !== "reconnecting") this.#announce("reconnecting");
        this.#retryLater();
        return;
      default:
        this.store.patch({ connection: "closed" });
        this.onEnd(reason);
    }
  }

  #pushInputs(): void {
    const room = this.#room;
    if (!room) return;
    const { camera, microphone, speakerId } = this.#ports.devices.store.get();
    // A track that does not publish is tried again with the next change or connection.
    void room
      .setInput("microphone", microphone.track, microphone.status === "on")
      .catch(() => undefined);
    void room.setInput("camera", camera.track, camera.status === "on").catch(() => undefined);
    void room.setSpeaker(speakerId).catch(() => undefined);
    this.#snapshotSoon();
  }

  /** Events come in bursts; one snapshot serves them all. */
  #snapshotSoon(): void {
    if (this.#snapshotPending) return;
    this.#snapshotPending = true;
    queueMicrotask(() => {
      this.#snapshotPending = false;
      this.#snapshot();
    });
  }

  #snapshot(): void {
    const { connection, established } = this.store.get();
    // While a new connection is made, the old tiles stay on the stage, dimmed.
    const isBroken = established && connection !== "connected" && connection !== "resuming";
    const peers = this.#room?.peers();
    if (!peers || this.#closed || isBroken) return;
    const tiles = tilesOf(peers);
    const { pinnedId } = this.store.get();
    this.store.patch({
      tiles,
      people: peers.map(({ identity, name, isLocal, microphoneOn, cameraOn, quality }) => ({
        identity,
        name,
        isLocal,
        microphoneOn,
        cameraOn,
        quality,
      })),
      pinnedId: tiles.some((tile) => tile.id === pinnedId) ? pinnedId : null,
    });
    this.#refocus();
  }

  #refocus(): void {
    const { tiles, pinnedId, focusId } = this.store.get();
    this.store.patch({ focusId: focusOf(tiles, pinnedId, focusId)?.id ?? null });
  }

  #announce(kind: Announcement["kind"], name = ""): void {
    this.store.patch({ announcement: { id: ++this.#announcements, kind, name } });
  }

  async #dropRoom(): Promise<void> {
    const room = this.#room;
    this.#stopListening();
    this.#stopListening = () => undefined;
    this.#room = null;
    await room?.close().catch(() => undefined);
  }
}

function endOfCode(code: string): CallEnd | null {
  switch (code) {
    case "not_admitted":
    case "room_full":
    case "link_expired":
    case "link_invalid":
      return code;
    default:
      return null;
  }
}
