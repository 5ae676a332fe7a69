import { describe, expect, it } from "vitest";
import { DeviceModel } from "./device-model";
import { PreferenceBox } from "./preferences";

type Wish = MediaStreamConstraints;

/** A computer with devices that can be pulled out and permissions that can be refused. */
class Computer extends EventTarget {
  devices: MediaDeviceInfo[] = [];
  failures: Partial<Record<"video" | "audio", string>> = {};
  permissions: Partial<Record<string, PermissionState>> = {};
  readonly asked: Wish[] = [];
  readonly open: FakeTrack[] = [];
  hold: Promise<void> | null = null;

  plug(kind: MediaDeviceKind, id: string): void {
    this.devices.push({
      kind,
      deviceId: id,
      label: `Label of ${id}`,
      groupId: "",
    } as MediaDeviceInfo);
  }

  unplug(id: string): void {
    this.devices = this.devices.filter((device) => device.deviceId !== id);
    for (const track of this.open.filter((one) => one.id === id)) track.end();
  }

  async getUserMedia(wish: Wish): Promise<MediaStream> {
    this.asked.push(wish);
    await this.hold;
    const tracks = (["audio", "video"] as const).flatMap((kind) => {
      const constraint = wish[kind];
      if (!constraint) return [];
      const failure = this.failures[kind];
      if (failure) throw named(failure);
      const wanted = (constraint as MediaTrackConstraints).deviceId as
        { exact?: string } | undefined;
      const found = this.devices.filter((device) => device.kind === `${kind}input`);
      const device = wanted?.exact
        ? found.find(({ deviceId }) => deviceId === wanted.exact)
        : found[0];
      if (!device) throw named(wanted?.exact ? "OverconstrainedError" : "NotFoundError");
      return [new FakeTrack(kind, device.deviceId, device.label)];
    });
    this.open.push(...tracks);
    const of = (kind: string) => tracks.filter((track) => track.kind === kind);
    return {
      getTracks: () => tracks,
      getVideoTracks: () => of("video"),
      getAudioTracks: () => of("audio"),
    } as unknown as MediaStream;
  }

  enumerateDevices(): Promise<MediaDeviceInfo[]> {
    return Promise.resolve(this.devices);
  }

  query({ name }: PermissionDescriptor): Promise<PermissionStatus> {
    return Promise.resolve({ state: this.permissions[name] ?? "prompt" } as PermissionStatus);
  }
}

class FakeTrack extends EventTarget {
  enabled = true;
  readyState: MediaStreamTrackState = "live";

  constructor(
    readonly kind: string,
    readonly id: string,
    readonly label: string,
  ) {
    super();
  }

  getSettings() {
    return { deviceId: this.id };
  }

  stop(): void {
    this.readyState = "ended";
  }

  end(): void {
    this.readyState = "ended";
    this.dispatchEvent(new Event("ended"));
  }
}

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

function memory(): Pick<Storage, "getItem" | "setItem"> {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  };
}

function setUp(options: { storage?: ReturnType<typeof memory>; devices?: boolean } = {}) {
  const computer = new Computer();
  if (options.devices !== false) {
    computer.plug("videoinput", "cam-1");
    computer.plug("audioinput", "mic-1");
    computer.plug("audiooutput", "out-1");
  }
  const preferences = new PreferenceBox(options.storage ?? memory());
  const model = new DeviceModel({
    support: "ok",
    media: computer,
    permissions: computer,
    preferences,
  });
  return { computer, model, preferences, state: () => model.store.get() };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("DeviceModel", () => {
  it("asks for both at once and lists what is there", async () => {
    const { computer, model, state } = setUp();
    await model.start();
    expect(computer.asked).toHaveLength(1);
    expect(state().camera).toMatchObject({ status: "on", deviceId: "cam-1" });
    expect(state().microphone).toMatchObject({ status: "on", deviceId: "mic-1" });
    expect(state().cameras).toEqual([{ id: "cam-1", label: "Label of cam-1" }]);
    expect(state().speakers).toHaveLength(1);
  });

  it("does not ask again after a refusal of both", async () => {
    const { computer, model, state } = setUp();
    computer.failures = { audio: "NotAllowedError", video: "NotAllowedError" };
    computer.permissions = { camera: "denied", microphone: "denied" };
    await model.start();
    expect(computer.asked).toHaveLength(1);
    expect(state().camera).toMatchObject({ status: "problem", problem: "denied" });
    expect(state().microphone).toMatchObject({ status: "problem", problem: "denied" });
  });

  it("keeps the microphone when only the camera is refused", async () => {
    const { computer, model, state } = setUp();
    computer.failures = { video: "NotAllowedError" };
    computer.permissions = { camera: "denied", microphone: "granted" };
    await model.start();
    expect(state().camera.problem).toBe("denied");
    expect(state().microphone.status).toBe("on");
  });

  it("finds out which of the two fails", async () => {
    const { computer, model, state } = setUp();
    computer.failures = { video: "NotReadableError" };
    await model.start();
    expect(state().camera).toMatchObject({ status: "problem", problem: "in_use" });
    expect(state().microphone.status).toBe("on");
  });

  it("works again after the permission was given", async () => {
    const { computer, model, state } = setUp();
    computer.failures = { audio: "NotAllowedError", video: "NotAllowedError" };
    await model.start();
    computer.failures = {};
    await model.retry();
    expect(state().camera.status).toBe("on");
    expect(state().microphone.status).toBe("on");
  });

  it("stops the camera when it is turned off and keeps a muted microphone ready", async () => {
    const { computer, model, state } = setUp();
    await model.start();
    const microphone = state().microphone.track;
    await model.setOn("camera", false);
    await model.setOn("microphone", false);
    expect(computer.open.find(({ kind }) => kind === "video")?.readyState).toBe("ended");
    expect(state().camera).toMatchObject({ status: "off", track: null });
    expect(state().microphone.track).toBe(microphone);
    expect(microphone?.enabled).toBe(false);
    await model.setOn("microphone", true);
    expect(microphone?.enabled).toBe(true);
    expect(computer.asked).toHaveLength(1);
  });

  it("lets go of a camera that comes after it was turned off again", async () => {
    const { computer, model, state } = setUp();
    let release = () => {};
    computer.hold = new Promise((resolve) => (release = resolve));
    const starting = model.start();
    await settled();
    await model.setOn("camera", false);
    release();
    await starting;
    expect(state().camera).toMatchObject({ status: "off", track: null });
    expect(computer.open.find(({ kind }) => kind === "video")?.readyState).toBe("ended");
  });

  it("remembers choices, and starts with nothing that was off", async () => {
    const storage = memory();
    const first = setUp({ storage });
    await first.model.start();
    await first.model.setOn("camera", false);
    first.model.chooseSpeaker("out-1");
    const second = setUp({ storage });
    await second.model.start();
    expect(second.computer.asked).toEqual([{ audio: expect.anything() as unknown }]);
    expect(second.state().camera.status).toBe("off");
    expect(second.state().speakerId).toBe("out-1");
  });

  it("does not remember push to talk", async () => {
    const { model, preferences } = setUp();
    await model.start();
    await model.setOn("microphone", false);
    await model.setOn("microphone", true, false);
    expect(preferences.value.microphoneOn).toBe(false);
  });

  it("uses another camera than the remembered one when that is gone", async () => {
    const storage = memory();
    new PreferenceBox(storage).update({ cameraId: "cam-of-yesterday" });
    const { model, state } = setUp({ storage });
    await model.start();
    expect(state().camera).toMatchObject({ status: "on", deviceId: "cam-1" });
  });

  it("changes to another microphone when the used one is pulled out, and says so", async () => {
    const { computer, model, state } = setUp();
    computer.plug("audioinput", "mic-2");
    await model.start();
    computer.unplug("mic-1");
    await settled();
    expect(state().microphone).toMatchObject({ status: "on", deviceId: "mic-2" });
    expect(state().notice).toMatchObject({ kind: "switched", device: "microphone" });
  });

  it("starts the camera that is plugged in after none was found", async () => {
    const { computer, model, state } = setUp({ devices: false });
    await model.start();
    expect(state().camera.problem).toBe("not_found");
    computer.plug("videoinput", "cam-new");
    computer.dispatchEvent(new Event("devicechange"));
    await settled();
    expect(state().camera).toMatchObject({ status: "on", deviceId: "cam-new" });
    expect(state().notice).toMatchObject({ kind: "added", device: "camera", deviceId: "cam-new" });
  });

  it("goes back to the default speaker when the chosen one is gone", async () => {
    const { computer, model, state } = setUp();
    await model.start();
    model.chooseSpeaker("out-1");
    computer.unplug("out-1");
    computer.dispatchEvent(new Event("devicechange"));
    await settled();
    expect(state().speakerId).toBe("");
    expect(state().notice).toMatchObject({ kind: "removed", device: "speaker" });
  });

  it("takes up after a release what was wanted, and nothing that had failed", async () => {
    const { computer, model, state } = setUp();
    computer.failures = { video: "NotReadableError" };
    await model.start();
    model.release();
    expect(state().microphone).toMatchObject({ status: "off", track: null });
    const before = computer.asked.length;
    await model.resume();
    expect(state().microphone.status).toBe("on");
    expect(computer.asked).toHaveLength(before + 1);
  });

  it("gives everything back in the end", async () => {
    const { computer, model } = setUp();
    await model.start();
    model.dispose();
    expect(computer.open.map(({ readyState }) => readyState)).toEqual(["ended", "ended"]);
  });

  it("explains a page without devices", async () => {
    const model = new DeviceModel({
      support: "insecure",
      media: undefined,
      permissions: undefined,
      preferences: new PreferenceBox(null),
    });
    await model.start();
    expect(model.store.get().camera.problem).toBe("insecure");
  });
});
