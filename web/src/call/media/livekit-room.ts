import {
  AudioPresets,
  ConnectionError,
  ConnectionErrorReason,
  ConnectionQuality,
  ConnectionState,
  DisconnectReason,
  LocalAudioTrack,
  LocalVideoTrack,
  ParticipantEvent,
  Room,
  RoomEvent as SdkEvent,
  setLogLevel,
  Track,
  type LocalTrack,
  type LocalTrackPublication,
  type Participant,
  type ReconnectContext,
  type ReconnectPolicy,
  type RemoteTrack,
} from "livekit-client";
import {
  ConnectError,
  type CloseReason,
  type MediaRoom,
  type PeerSnapshot,
  type Quality,
  type RoomEvent,
  type VideoHandle,
} from "./media-room";
import { PathWatch } from "./path-watch";

/** The SDK's own attempts, in milliseconds after each failure. Then the call's model takes over with a new token. */
const RETRY_DELAYS_MS = [0, 300, 600, 1_000, 1_500, 2_000, 2_000, 3_000];
const SIGNAL_TIMEOUT_MS = 8_000;
const MEDIA_TIMEOUT_MS = 10_000;

setLogLevel("warn");

/** The server says `/` when signalling has the page's own origin, else an absolute address. */
function signalUrl(url: string): string {
  return new URL(url, window.location.origin).href.replace(/^http/, "ws");
}

/** Warms the connection to the media server while the person is looking at the camera. */
export async function prepare(url: string): Promise<void> {
  await new Room().prepareConnection(signalUrl(url));
}

/** The real `MediaRoom`, over livekit-client. Input tracks belong to the caller: the SDK never opens a device. */
export class LiveKitRoom implements MediaRoom {
  readonly raw: Room;
  readonly #listeners = new Set<(event: RoomEvent) => void>();
  readonly #queues = { camera: Promise.resolve(), microphone: Promise.resolve() };
  readonly #sounds = new Map<RemoteTrack, HTMLMediaElement>();
  readonly #handles = new WeakMap<Track, VideoHandle>();
  readonly #watch = new PathWatch({
    stats: () => this.raw.engine.pcManager?.publisher.getStats() ?? null,
    // Not while the SDK looks for another way already.
    sends: () =>
      this.raw.state === ConnectionState.Connected &&
      [...this.raw.localParticipant.trackPublications.values()].some((sent) => !sent.isMuted),
    // The SDK's name for it: a new socket takes the session up, and ICE restarts.
    lost: () => void this.raw.simulateScenario("signal-reconnect"),
  });
  #shared: MediaStreamTrack[] = [];
  /** Publishing is possible. */
  #signalConnected = false;
  /** The signalling worked once, so what fails afterwards is the media. */
  #signalWorked = false;

  constructor() {
    this.raw = new Room({
      adaptiveStream: true,
      dynacast: true,
      stopLocalTrackOnUnpublish: false,
      disconnectOnPageLeave: true,
      reconnectPolicy: this.#reconnectPolicy(),
      publishDefaults: {
        audioPreset: AudioPresets.music,
        dtx: true,
        red: true,
        simulcast: true,
        stopMicTrackOnMute: false,
      },
    });
    this.#wire();
  }

  async connect(url: string, token: string): Promise<void> {
    try {
      await this.raw.connect(signalUrl(url), token, {
        autoSubscribe: true,
        maxRetries: 0,
        websocketTimeout: SIGNAL_TIMEOUT_MS,
        peerConnectionTimeout: MEDIA_TIMEOUT_MS,
      });
      this.#watch.start();
    } catch (error) {
      throw this.#connectError(error);
    }
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#watch.stop();
    this.#endCapture();
    await this.raw.disconnect(false);
    for (const [track, element] of this.#sounds) silence(track, element);
    this.#sounds.clear();
  }

  listen(listener: (event: RoomEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  peers(): PeerSnapshot[] {
    // Before the first join the local participant has no identity.
    const local = this.raw.localParticipant.identity === "" ? [] : [this.raw.localParticipant];
    return [...local, ...this.raw.remoteParticipants.values()].map((peer) => this.#snapshot(peer));
  }

  setInput(
    source: "camera" | "microphone",
    track: MediaStreamTrack | null,
    on: boolean,
  ): Promise<void> {
    const run = this.#queues[source].then(() => this.#applyInput(source, track, on));
    this.#queues[source] = run.catch(() => undefined);
    return run;
  }

  async startShare(): Promise<void> {
    await this.raw.localParticipant.setScreenShareEnabled(true, {
      audio: true,
      systemAudio: "include",
      selfBrowserSurface: "exclude",
      surfaceSwitching: "include",
      contentHint: "detail",
    });
    // Tracks outlive their publication by option; a screen that is not shared any more must not be captured.
    this.#shared = [Track.Source.ScreenShare, Track.Source.ScreenShareAudio].flatMap(
      (source) =>
        this.raw.localParticipant.getTrackPublication(source)?.track?.mediaStreamTrack ?? [],
    );
  }

  async stopShare(): Promise<void> {
    await this.raw.localParticipant.setScreenShareEnabled(false);
    this.#endCapture();
  }

  async setSpeaker(deviceId: string): Promise<void> {
    const wanted = deviceId === "" ? "default" : deviceId;
    if ((this.raw.getActiveDevice("audiooutput") ?? "default") === wanted) return;
    await this.raw.switchActiveDevice("audiooutput", wanted);
  }

  async unblockAudio(): Promise<void> {
    await this.raw.startAudio();
  }

  async #applyInput(
    source: "camera" | "microphone",
    track: MediaStreamTrack | null,
    on: boolean,
  ): Promise<void> {
    if (!this.#signalConnected) return;
    const sdkSource = source === "camera" ? Track.Source.Camera : Track.Source.Microphone;
    const publication = this.raw.localParticipant.getTrackPublication(sdkSource);
    const usable = track !== null && track.readyState === "live";
    if (!publication?.track) {
      if (!usable || !on) return;
      const wrapped = wrap(source, track);
      await this.raw.localParticipant.publishTrack(wrapped, { source: sdkSource });
      return;
    }
    const local = publication.track;
    if (usable && local.mediaStreamTrack !== track) await local.replaceTrack(track, true);
    if (usable && on) await publication.unmute();
    else await publication.mute();
  }

  #snapshot(peer: Participant): PeerSnapshot {
    const microphone = peer.getTrackPublication(Track.Source.Microphone);
    const camera = peer.getTrackPublication(Track.Source.Camera);
    const screen = peer.getTrackPublication(Track.Source.ScreenShare);
    return {
      identity: peer.identity,
      name: peer.name ?? "",
      isLocal: peer.isLocal,
      speaking: peer.isSpeaking,
      quality: qualityOf(peer.connectionQuality),
      joinedMs: peer.joinedAt?.getTime() ?? 0,
      microphoneOn: microphone !== undefined && !microphone.isMuted,
      cameraOn: camera !== undefined && !camera.isMuted,
      camera: this.#handle(camera?.track),
      screen: this.#handle(screen?.track),
    };
  }

  #handle(track: Track | undefined): VideoHandle | null {
    if (!track) return null;
    const known = this.#handles.get(track);
    if (known) return known;
    const handle: VideoHandle = {
      id: track.sid ?? track.mediaStreamID,
      attach: (element) => void track.attach(element),
      detach: (element) => void track.detach(element),
    };
    this.#handles.set(track, handle);
    return handle;
  }

  #wire(): void {
    const changed = () => this.#emit({ kind: "changed" });
    for (const event of CHANGES) this.raw.on(event, changed);
    this.raw
      .on(SdkEvent.SignalConnected, () => {
        this.#signalConnected = true;
        this.#signalWorked = true;
        this.#emit({ kind: "signal_connected" });
      })
      .on(SdkEvent.SignalReconnecting, () => this.#emit({ kind: "resuming" }))
      .on(SdkEvent.Reconnecting, () => this.#emit({ kind: "reconnecting" }))
      .on(SdkEvent.Reconnected, () => this.#emit({ kind: "reconnected" }))
      .on(SdkEvent.Disconnected, (reason) => {
        this.#signalConnected = false;
        this.#watch.stop();
        this.#emit({ kind: "closed", reason: closeReason(reason) });
      })
      .on(SdkEvent.ParticipantConnected, (peer) =>
        this.#emit({ kind: "peer_joined", name: peer.name ?? "" }),
      )
      .on(SdkEvent.ParticipantDisconnected, (peer) =>
        this.#emit({ kind: "peer_left", name: peer.name ?? "" }),
      )
      .on(SdkEvent.AudioPlaybackStatusChanged, (playing) =>
        this.#emit({ kind: "audio_blocked", blocked: !playing }),
      )
      .on(SdkEvent.TrackSubscribed, (track) => this.#play(track))
      .on(SdkEvent.TrackUnsubscribed, (track) => this.#stopPlaying(track))
      .on(SdkEvent.LocalTrackUnpublished, (publication) => this.#localUnpublished(publication));
    this.raw.localParticipant.on(ParticipantEvent.IsSpeakingChanged, changed);
  }

  #localUnpublished(publication: LocalTrackPublication): void {
    if (publication.source !== Track.Source.ScreenShare) return;
    this.#endCapture();
    this.#emit({ kind: "share_ended" });
  }

  #endCapture(): void {
    for (const track of this.#shared) track.stop();
    this.#shared = [];
  }

  #play(track: RemoteTrack): void {
    if (track.kind !== Track.Kind.Audio || this.#sounds.has(track)) return;
    const element = track.attach();
    element.hidden = true;
    document.body.append(element);
    this.#sounds.set(track, element);
  }

  #stopPlaying(track: RemoteTrack): void {
    const element = this.#sounds.get(track);
    if (!element) return;
    this.#sounds.delete(track);
    silence(track, element);
  }

  #reconnectPolicy(): ReconnectPolicy {
    return {
      nextRetryDelayInMs: ({ retryCount }: ReconnectContext) => {
        const delay = RETRY_DELAYS_MS[retryCount];
        if (delay === undefined) return null;
        const delayMs = Math.round(delay * (0.75 + Math.random() * 0.5));
        this.#emit({ kind: "retry_in", delayMs });
        return delayMs;
      },
    };
  }

  #connectError(error: unknown): ConnectError {
    if (!(error instanceof ConnectionError)) {
      return new ConnectError(this.#signalWorked ? "media_blocked" : "unsupported", error);
    }
    switch (error.reason) {
      case ConnectionErrorReason.Cancelled:
        return new ConnectError("cancelled", error);
      case ConnectionErrorReason.NotAllowed:
        return new ConnectError("refused", error);
      default:
        return new ConnectError(this.#signalWorked ? "media_blocked" : "unreachable", error);
    }
  }

  #emit(event: RoomEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

const CHANGES = [
  SdkEvent.Connected,
  SdkEvent.ParticipantConnected,
  SdkEvent.ParticipantDisconnected,
  SdkEvent.ParticipantNameChanged,
  SdkEvent.TrackPublished,
  SdkEvent.TrackUnpublished,
  SdkEvent.TrackSubscribed,
  SdkEvent.TrackUnsubscribed,
  SdkEvent.TrackMuted,
  SdkEvent.TrackUnmuted,
  SdkEvent.LocalTrackPublished,
  SdkEvent.LocalTrackUnpublished,
  SdkEvent.ActiveSpeakersChanged,
  SdkEvent.ConnectionQualityChanged,
] as const;

function wrap(source: "camera" | "microphone", track: MediaStreamTrack): LocalTrack {
  return source === "camera"
    ? new LocalVideoTrack(track, track.getConstraints(), true)
    : new LocalAudioTrack(track, track.getConstraints(), true);
}

function silence(track: RemoteTrack, element: HTMLMediaElement): void {
  track.detach(element);
  element.remove();
}

function qualityOf(quality: ConnectionQuality): Quality {
  switch (quality) {
    case ConnectionQuality.Excellent:
      return "excellent";
    case ConnectionQuality.Good:
      return "good";
    case ConnectionQuality.Poor:
      return "poor";
    case ConnectionQuality.Lost:
      return "lost";
    default:
      return "unknown";
  }
}

function closeReason(reason: DisconnectReason | undefined): CloseReason {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return "left";
    case DisconnectReason.DUPLICATE_IDENTITY:
      return "replaced";
    case DisconnectReason.PARTICIPANT_REMOVED:
      return "removed";
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return "room_closed";
    case DisconnectReason.USER_REJECTED:
      return "refused";
    default:
      return "lost";
  }
}
