import { ChevronDown, Mic, MicOff, Video, VideoOff, Volume2 } from "lucide-react";
import { useState } from "react";
import { Button, IconButton, Menu, Select, Toggle, type MenuGroup } from "../../ui";
import { useCallText, type CallText } from "../call-messages";
import { canChooseSpeaker } from "../model/capability";
import type { DeviceInfo, DeviceModel, DeviceState, InputKind } from "../model/device-model";
import { playTestSound } from "../model/speaker-test";
import { useLevel, useStore } from "./hooks";

/** A device's own name; before permission is given browsers hide it. */
function nameOf(
  device: DeviceInfo,
  index: number,
  kind: InputKind | "speaker",
  t: CallText,
): string {
  if (device.id === "default") return t("device.default");
  if (device.label !== "") return device.label;
  const number = index + 1;
  if (kind === "camera") return t("device.camera_number", { number });
  return kind === "microphone"
    ? t("device.microphone_number", { number })
    : t("device.speaker_number", { number });
}

function entries(devices: readonly DeviceInfo[], kind: InputKind | "speaker", t: CallText) {
  return devices.map((device, index) => ({
    id: `${kind}:${device.id}`,
    label: nameOf(device, index, kind, t),
  }));
}

function groupsFor(kind: InputKind, state: DeviceState, t: CallText): MenuGroup[] {
  if (kind === "camera") {
    return [
      {
        title: t("device.camera"),
        selected: `camera:${state.camera.deviceId}`,
        entries: entries(state.cameras, "camera", t),
      },
    ];
  }
  const microphones: MenuGroup = {
    title: t("device.microphone"),
    selected: `microphone:${state.microphone.deviceId}`,
    entries: entries(state.microphones, "microphone", t),
  };
  if (!canChooseSpeaker() || state.speakers.length === 0) return [microphones];
  const speakers: MenuGroup = {
    title: t("device.speaker"),
    selected: `speaker:${state.speakerId === "" ? "default" : state.speakerId}`,
    entries: entries(state.speakers, "speaker", t),
  };
  return [microphones, speakers];
}

export function chooseDevice(devices: DeviceModel, choice: string): void {
  const [kind = "", ...rest] = choice.split(":");
  const id = rest.join(":");
  if (kind === "speaker") devices.chooseSpeaker(id);
  else if (kind === "camera" || kind === "microphone") void devices.choose(kind, id);
}

export interface DeviceToggleProps {
  readonly devices: DeviceModel;
  readonly kind: InputKind;
  /** The key that does the same, said in the tooltip. */
  readonly shortcut?: string;
  readonly menuAbove?: boolean;
}

/** On or off, and beside it the list of devices. */
export function DeviceToggle({ devices, kind, shortcut, menuAbove = false }: DeviceToggleProps) {
  const t = useCallText();
  const state = useStore(devices.store);
  const input = state[kind];
  const on = input.status === "on";
  const word = kind === "camera" ? t("device.camera") : t("device.microphone");
  const action =
    kind === "camera"
      ? on
        ? t("control.camera_off")
        : t("control.camera_on")
      : on
        ? t("control.microphone_off")
        : t("control.microphone_on");
  const Icon = kind === "camera" ? (on ? Video : VideoOff) : on ? Mic : MicOff;
  const hasProblem = input.status === "problem" && input.wanted;
  return (
    <div className={`c-device${on ? "" : " c-device-off"}${hasProblem ? " c-device-problem" : ""}`}>
      <Toggle
        className="c-device-toggle"
        icon={Icon}
        isSelected={on}
        aria-label={word}
        onChange={() => void devices.toggle(kind)}
        data-testid={`${kind}-toggle`}
        render={(dom) => <button {...dom} title={shortcut ? `${action} (${shortcut})` : action} />}
      >
        <span className="c-label">{word}</span>
        {hasProblem && (
          <span className="c-device-mark" aria-hidden>
            !
          </span>
        )}
      </Toggle>
      <Menu
        label={kind === "camera" ? t("device.choose_camera") : t("device.choose_microphone")}
        placement={menuAbove ? "top" : "bottom start"}
        trigger={
          <IconButton
            icon={ChevronDown}
            className="c-device-menu"
            label={kind === "camera" ? t("device.choose_camera") : t("device.choose_microphone")}
          />
        }
        groups={groupsFor(kind, state, t)}
        onAction={(choice) => chooseDevice(devices, choice)}
      />
    </div>
  );
}

export function SpeakerTest({ devices }: { devices: DeviceModel }) {
  const t = useCallText();
  const { speakers, speakerId } = useStore(devices.store);
  const [playing, setPlaying] = useState(false);
  const test = () => {
    setPlaying(true);
    void playTestSound(speakerId)
      .catch(() => undefined)
      .finally(() => setPlaying(false));
  };
  const canChoose = canChooseSpeaker() && speakers.length > 0;
  return (
    <div className="c-speaker">
      {canChoose && (
        <Select
          label={t("device.speaker")}
          options={speakers.map((device, index) => ({
            id: device.id,
            label: nameOf(device, index, "speaker", t),
          }))}
          value={speakerId === "" ? (speakers[0]?.id ?? null) : speakerId}
          onChange={(id) => devices.chooseSpeaker(id)}
          className="grow"
        />
      )}
      <Button icon={Volume2} onPress={test} isPending={playing}>
        {playing ? t("device.test_playing") : t("device.test_speaker")}
      </Button>
    </div>
  );
}

/** A full list for each device, for a dialog. */
export function DeviceLists({ devices }: { devices: DeviceModel }) {
  const t = useCallText();
  const state = useStore(devices.store);
  const list = (kind: InputKind, label: string, found: readonly DeviceInfo[]) => (
    <Select
      label={label}
      options={found.map((device, index) => ({
        id: device.id,
        label: nameOf(device, index, kind, t),
      }))}
      value={state[kind].deviceId === "" ? null : state[kind].deviceId}
      onChange={(id) => void devices.choose(kind, id)}
      placeholder={found.length === 0 ? t("device.none") : t("device.default")}
      isDisabled={found.length === 0}
    />
  );
  return (
    <div className="stack">
      {list("microphone", t("device.microphone"), state.microphones)}
      <MicrophoneLevel devices={devices} />
      {list("camera", t("device.camera"), state.cameras)}
      <SpeakerTest devices={devices} />
    </div>
  );
}

const SEGMENTS = 20;

/** The moving bar. Silent for screen readers: the text beside it says whether the microphone is on. */
export function MicrophoneLevel({ devices }: { devices: DeviceModel }) {
  const t = useCallText();
  const { microphone } = useStore(devices.store);
  const isOn = microphone.status === "on";
  const level = useLevel(isOn ? microphone.track : null);
  const lit = Math.round(level * SEGMENTS);
  return (
    <div className="c-level" data-testid="level" data-level={level.toFixed(2)}>
      <span className="c-level-bars" aria-hidden>
        {Array.from({ length: SEGMENTS }, (_, index) => (
          <span key={index} className={index < lit ? "c-level-bar c-level-lit" : "c-level-bar"} />
        ))}
      </span>
      <span className="c-level-word">
        {isOn ? t("device.speak") : t("device.microphone_is_off")}
      </span>
    </div>
  );
}
