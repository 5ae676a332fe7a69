/**
 * What a call needs of the media server's client. The call's model knows this and not the SDK, so that it is tested
 * without a call; `livekit-room.ts` is the real one.
 */
export type TrackSource = "camera" | "microphone" | "screen";
export type Quality = "excellent" | "good" | "poor" | "lost" | "unknown";

/** A picture that can be shown in a video element. */
export interface VideoHandle {
  readonly id: string;
  attach(element: HTMLVideoElement): void;
  detach(element: HTMLVideoElement): void;
}

export interface PeerSnapshot {
  readonly identity: string;
  readonly name: string;
  readonly isLocal: boolean;
  readonly speaking: boolean;
  readonly quality: Quality;
  /** Milliseconds since 1970. */
  readonly joinedMs: number;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly camera: VideoHandle | null;
  readonly screen: VideoHandle | null;
}

/** Why a room closed. */
export type CloseReason =
  | "left" // by this side
  | "lost" // the connection could not be kept
  | "replaced" // the same person joined elsewhere
  | "removed"
  | "room_closed"
  | "refused"; // the token is no longer good

export type RoomEvent =
  | { kind: "changed" }
  | { kind: "signal_connected" }
  /** Media goes on while only the signalling comes back. */
  | { kind: "resuming" }
  | { kind: "reconnecting" }
  | { kind: "retry_in"; delayMs: number }
  | { kind: "reconnected" }
  | { kind: "peer_joined"; name: string }
  | { kind: "peer_left"; name: string }
  | { kind: "audio_blocked"; blocked: boolean }
  | { kind: "share_ended" }
  | { kind: "closed"; reason: CloseReason };

/** Why `connect` failed. */
export type ConnectFailure =
  "unreachable" | "refused" | "media_blocked" | "cancelled" | "unsupported";

export class ConnectError extends Error {
  readonly failure: ConnectFailure;

  constructor(failure: ConnectFailure, cause?: unknown) {
    super(failure, { cause });
    this.name = "ConnectError";
    this.failure = failure;
  }
}

export interface MediaRoom {
  /** Resolves when media can flow; throws a `ConnectError`. */
  connect(url: string, token: string): Promise<void>;
  close(): Promise<void>;
  peers(): PeerSnapshot[];
  /** Publishes, swaps, mutes or unmutes; `on` without a track is off. Calls for one source run in order. */
  setInput(
    source: "camera" | "microphone",
    track: MediaStreamTrack | null,
    on: boolean,
  ): Promise<void>;
  /** Throws what getDisplayMedia throws. */
  startShare(): Promise<void>;
  stopShare(): Promise<void>;
  setSpeaker(deviceId: string): Promise<void>;
  /** Must run in a gesture. */
  unblockAudio(): Promise<void>;
  listen(listener: (event: RoomEvent) => void): () => void;
  /** The SDK's room, for tests that read its statistics. */
  readonly raw: unknown;
}
