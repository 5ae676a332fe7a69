import type { Support } from "./capability";
import { deviceProblem, isRefusal, type DeviceProblem } from "./device-problem";
import type { PreferenceBox } from "./preferences";
import { Store } from "./store";

export type InputKind = "camera" | "microphone";

export interface DeviceInfo {
  id: string;
  /** Empty until the person has given permission. */
  label: string;
}

export interface InputState {
  /** What the person asked for; it stays true when the device fails, so that plugging it in mends it. */
  wanted: boolean;
  status: "off" | "starting" | "on" | "problem";
  problem: DeviceProblem | null;
  deviceId: string;
  track: MediaStreamTrack | null;
}

export interface DeviceNotice {
  id: number;
  kind: "added" | "removed" | "switched";
  device: InputKind | "speaker";
  deviceId: string;
  label: string;
}

export interface DeviceState {
  support: Support;
  cameras: readonly DeviceInfo[];
  microphones: readonly DeviceInfo[];
  speakers: readonly DeviceInfo[];
  camera: InputState;
  microphone: InputState;
  speakerId: string;
  facing: "user" | "environment";
  notice: DeviceNotice | null;
}

type MediaPort = Pick<
  MediaDevices,
  "getUserMedia" | "enumerateDevices" | "addEventListener" | "removeEventListener"
>;
type PermissionPort = Pick<Permissions, "query">;

export interface DevicePorts {
  support: Support;
  /** Absent in insecure pages and old browsers. */
  media: MediaPort | undefined;
  permissions: PermissionPort | undefined;
  preferences: PreferenceBox;
}

const OFF: InputState = { wanted: false, status: "off", problem: null, deviceId: "", track: null };
const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30 },
};
const AUDIO: MediaTrackConstraints = {
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

/**
 * Owns the camera and the microphone from the first preview to the end of the call: everyone else borrows the tracks.
 * A device that is off has no camera track; a muted microphone keeps its track, disabled, so that it is back at once.
 */
export class DeviceModel {
  readonly store: Store<DeviceState>;
  readonly #ports: DevicePorts;
  readonly #generation = { camera: 0, microphone: 0 };
  #notices = 0;
  #disposed = false;
  readonly #onDeviceChange = () => void this.#devicesChanged();

  constructor(ports: DevicePorts) {
    this.#ports = ports;
    const chosen = ports.preferences.value;
    this.store = new Store<DeviceState>({
      support: ports.support,
      cameras: [],
      microphones: [],
      speakers: [],
      camera: { ...OFF, wanted: chosen.cameraOn, deviceId: chosen.cameraId },
      microphone: { ...OFF, wanted: chosen.microphoneOn, deviceId: chosen.microphoneId },
      speakerId: chosen.speakerId,
      facing: chosen.facing,
      notice: null,
    });
  }

  /** Starts what the person wants, with one question where the browser asks for both. */
  async start(): Promise<void> {
    const media = this.#ports.media;
    if (!media) {
      const problem: DeviceProblem =
        this.#ports.support === "insecure" ? "insecure" : "unsupported";
      this.#set("camera", { status: "problem", problem });
      this.#set("microphone", { status: "problem", problem });
      return;
    }
    media.addEventListener("devicechange", this.#onDeviceChange);
    await this.#refreshLists();
    const isIdle = (input: InputState) =>
      input.wanted && input.status !== "on" && input.status !== "starting";
    const camera = isIdle(this.store.get().camera);
    const microphone = isIdle(this.store.get().microphone);
    if (camera && microphone) await this.#startBoth(media);
    else if (camera) await this.#acquire("camera");
    else if (microphone) await this.#acquire("microphone");
  }

  /** Both, whatever was chosen for the last call, and without remembering it. */
  async startAll(): Promise<void> {
    this.#set("camera", { wanted: true });
    this.#set("microphone", { wanted: true });
    await this.start();
  }

  /** Push to talk is no choice to remember. */
  async setOn(kind: InputKind, on: boolean, remember = true): Promise<void> {
    if (remember)
      this.#ports.preferences.update(kind === "camera" ? { cameraOn: on } : { microphoneOn: on });
    this.#set(kind, { wanted: on });
    const input = this.store.get()[kind];
    if (on) {
      if (input.status === "on" || input.status === "starting") return;
      if (kind === "microphone" && input.track?.readyState === "live") {
        input.track.enabled = true;
        this.#set(kind, { status: "on", problem: null });
      } else {
        await this.#acquire(kind);
      }
      return;
    }
    this.#generation[kind] += 1;
    if (kind === "microphone" && input.track?.readyState === "live") {
      input.track.enabled = false;
      this.#set(kind, { status: "off", problem: null });
      return;
    }
    this.#drop(kind);
    this.#set(kind, { status: "off", problem: null });
  }

  toggle(kind: InputKind): Promise<void> {
    return this.setOn(kind, this.store.get()[kind].status !== "on");
  }

  /** A chosen device is used at once when it is on, else the next time. */
  async choose(kind: InputKind, deviceId: string): Promise<void> {
    this.#ports.preferences.update(
      kind === "camera" ? { cameraId: deviceId } : { microphoneId: deviceId },
    );
    const { status, wanted } = this.store.get()[kind];
    this.#set(kind, { deviceId });
    if (status === "on" || status === "starting" || (status === "problem" && wanted))
      await this.#acquire(kind);
    else if (kind === "microphone") this.#drop(kind);
  }

  chooseSpeaker(deviceId: string): void {
    this.#ports.preferences.update({ speakerId: deviceId });
    this.store.patch({ speakerId: deviceId });
  }

  /** Front or back camera of a phone. */
  async flip(): Promise<void> {
    const facing = this.store.get().facing === "user" ? "environment" : "user";
    this.#ports.preferences.update({ facing, cameraId: "" });
    this.store.patch({ facing });
    this.#set("camera", { deviceId: "" });
    // Android has one camera open at a time: let go of the old one first.
    this.#drop("camera");
    await this.#acquire("camera");
  }

  /** After the person changed a permission or freed a device. */
  async retry(): Promise<void> {
    for (const kind of ["microphone", "camera"] as const) {
      const { wanted, status } = this.store.get()[kind];
      if (wanted && status === "problem") await this.#acquire(kind);
    }
  }

  /** Gives the devices back (lights off) but keeps the choices. */
  release(): void {
    for (const kind of ["camera", "microphone"] as const) {
      this.#generation[kind] += 1;
      this.#drop(kind);
      if (this.store.get()[kind].status !== "problem") this.#set(kind, { status: "off" });
    }
  }

  /** After `release`: what was wanted then. */
  async resume(): Promise<void> {
    for (const kind of ["microphone", "camera"] as const) {
      const { wanted, status } = this.store.get()[kind];
      if (wanted && status === "off") await this.#acquire(kind);
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#ports.media?.removeEventListener("devicechange", this.#onDeviceChange);
    this.release();
  }

  async #startBoth(media: MediaPort): Promise<void> {
    const generation = {
      camera: ++this.#generation.camera,
      microphone: ++this.#generation.microphone,
    };
    this.#set("camera", { status: "starting", problem: null });
    this.#set("microphone", { status: "starting", problem: null });
    try {
      const stream = await media.getUserMedia({
        video: this.#videoWish(),
        audio: this.#audioWish(),
      });
      this.#adopt("camera", generation.camera, stream.getVideoTracks()[0]);
      this.#adopt("microphone", generation.microphone, stream.getAudioTracks()[0]);
      await this.#refreshLists();
    } catch (error) {
      const problem = deviceProblem(error);
      const states = isRefusal(problem)
        ? await this.#permissionStates()
        : { camera: "granted", microphone: "granted" };
      // One failing device fails the pair: find out which, without asking a person who has just said no.
      for (const kind of ["microphone", "camera"] as const) {
        if (generation[kind] !== this.#generation[kind]) continue;
        if (isRefusal(problem) && states[kind] !== "granted")
          this.#set(kind, { status: "problem", problem });
        else await this.#acquire(kind);
      }
    }
  }

  async #acquire(kind: InputKind): Promise<void> {
    const media = this.#ports.media;
    if (!media) return;
    const generation = ++this.#generation[kind];
    this.#set(kind, { status: "starting", problem: null });
    try {
      const stream = await this.#capture(media, kind);
      this.#adopt(kind, generation, stream.getTracks()[0]);
      await this.#refreshLists();
    } catch (error) {
      if (generation !== this.#generation[kind]) return;
      this.#drop(kind);
      this.#set(kind, { status: "problem", problem: deviceProblem(error) });
    }
  }

  async #capture(media: MediaPort, kind: InputKind): Promise<MediaStream> {
    const wish = () =>
      kind === "camera" ? { video: this.#videoWish() } : { audio: this.#audioWish() };
    try {
      return await media.getUserMedia(wish());
    } catch (error) {
      // A remembered device may be gone, and some Android cameras open only after the old one is closed.
      const problem = deviceProblem(error);
      if (isRefusal(problem)) throw error;
      const { deviceId, track } = this.store.get()[kind];
      if (problem === "not_found" && deviceId === "") throw error;
      if (problem === "in_use" && !track) throw error;
      this.#drop(kind);
      if (problem === "not_found") this.#set(kind, { deviceId: "" });
      return media.getUserMedia(wish());
    }
  }

  #adopt(kind: InputKind, generation: number, track: MediaStreamTrack | undefined): void {
    if (!track) return;
    if (generation !== this.#generation[kind] || this.#disposed) {
      track.stop();
      return;
    }
    const previous = this.store.get()[kind].track;
    const wanted = this.store.get()[kind].wanted;
    track.enabled = wanted;
    track.addEventListener("ended", () => {
      if (this.store.get()[kind].track === track) void this.#lost(kind);
    });
    this.#set(kind, {
      track,
      status: wanted ? "on" : "off",
      problem: null,
      deviceId: track.getSettings().deviceId ?? "",
    });
    previous?.stop();
  }

  async #lost(kind: InputKind): Promise<void> {
    const input = this.store.get()[kind];
    const label = input.track?.label ?? "";
    this.#set(kind, { track: null, status: "problem", problem: "lost" });
    this.#notify("removed", kind, input.deviceId, label);
    if (!input.wanted) {
      this.#set(kind, { status: "off", problem: null, deviceId: "" });
      return;
    }
    await this.#refreshLists();
    if (this.#list(kind).some((device) => device.id !== input.deviceId)) {
      this.#set(kind, { deviceId: "" });
      await this.#acquire(kind);
      const now = this.store.get()[kind];
      if (now.status === "on") this.#notify("switched", kind, now.deviceId, now.track?.label ?? "");
    }
  }

  async #devicesChanged(): Promise<void> {
    const before = this.store.get();
    await this.#refreshLists();
    for (const kind of ["camera", "microphone"] as const) {
      const known = kind === "camera" ? before.cameras : before.microphones;
      const added = this.#list(kind).find((device) => !known.some((old) => old.id === device.id));
      if (!added) continue;
      const input = this.store.get()[kind];
      if (input.wanted && (input.problem === "not_found" || input.problem === "lost"))
        await this.#acquire(kind);
      this.#notify("added", kind, added.id, added.label);
    }
    const { speakers, speakerId } = this.store.get();
    if (
      speakerId !== "" &&
      before.speakers.length > 0 &&
      !speakers.some((device) => device.id === speakerId)
    ) {
      this.store.patch({ speakerId: "" });
      this.#notify(
        "removed",
        "speaker",
        speakerId,
        before.speakers.find((device) => device.id === speakerId)?.label ?? "",
      );
    }
  }

  async #refreshLists(): Promise<void> {
    const found = await this.#ports.media?.enumerateDevices().catch(() => []);
    if (!found || this.#disposed) return;
    const list = (kind: MediaDeviceKind): DeviceInfo[] =>
      found
        // Chromium lists "default" and "communications" beside the devices that they stand for.
        .filter(
          (device) =>
            device.kind === kind && device.deviceId !== "" && device.deviceId !== "communications",
        )
        .map((device) => ({ id: device.deviceId, label: device.label }));
    this.store.patch({
      cameras: list("videoinput"),
      microphones: list("audioinput"),
      speakers: list("audiooutput"),
    });
  }

  async #permissionStates(): Promise<Record<InputKind, string>> {
    const ask = async (kind: InputKind) => {
      try {
        return (await this.#ports.permissions?.query({ name: kind }))?.state ?? "unknown";
      } catch {
        return "unknown";
      }
    };
    return { camera: await ask("camera"), microphone: await ask("microphone") };
  }

  #videoWish(): MediaTrackConstraints {
    const { camera, facing } = this.store.get();
    return camera.deviceId === ""
      ? { ...VIDEO, facingMode: { ideal: facing } }
      : { ...VIDEO, deviceId: { exact: camera.deviceId } };
  }

  #audioWish(): MediaTrackConstraints {
    const { deviceId } = this.store.get().microphone;
    return deviceId === "" ? AUDIO : { ...AUDIO, deviceId: { exact: deviceId } };
  }

  #list(kind: InputKind): readonly DeviceInfo[] {
    return kind === "camera" ? this.store.get().cameras : this.store.get().microphones;
  }

  #drop(kind: InputKind): void {
    this.store.get()[kind].track?.stop();
    this.#set(kind, { track: null });
  }

  #set(kind: InputKind, change: Partial<InputState>): void {
    if (kind === "camera") this.store.patch({ camera: { ...this.store.get().camera, ...change } });
    else this.store.patch({ microphone: { ...this.store.get().microphone, ...change } });
  }

  #notify(
    kind: DeviceNotice["kind"],
    device: DeviceNotice["device"],
    deviceId: string,
    label: string,
  ): void {
    this.store.patch({ notice: { id: ++this.#notices, kind, device, deviceId, label } });
  }
}
