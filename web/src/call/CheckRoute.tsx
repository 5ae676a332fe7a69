import { Check, CircleAlert, Video } from "lucide-react";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import { Shell } from "../app/Shell";
import { Button, Spinner } from "../ui";
import { useCallText } from "./call-messages";
import type { Verdict } from "./model/connection-check";
import type { DeviceModel, DeviceState } from "./model/device-model";
import { browserPreferences } from "./model/preferences";
import { deviceModel } from "./session";
import { DeviceLists, MicrophoneLevel, SpeakerTest } from "./views/DeviceControls";
import { DeviceTrouble } from "./views/DeviceTrouble";
import { useLevel, useStore } from "./views/hooks";
import { ConnectionVerdict } from "./views/Prejoin";
import { SelfVideo } from "./views/SelfVideo";
import "./call.css";

/** `/check`: permission, camera, microphone, speaker, connection; days before or on the way in. */
export default function CheckRoute() {
  const [devices, setDevices] = useState<DeviceModel | null>(null);
  useEffect(() => {
    const model = deviceModel(browserPreferences());
    setDevices(model);
    return () => model.dispose();
  }, []);
  return devices ? <CheckPage devices={devices} /> : null;
}

type StepState = "todo" | "running" | "done" | "trouble";

/** Speech louder than this was heard by the microphone. */
const HEARD = 0.35;

function CheckPage({ devices }: { devices: DeviceModel }) {
  const t = useCallText();
  const state = useStore(devices.store);
  const [started, setStarted] = useState(false);
  const [heard, setHeard] = useState(false);
  const [speaker, setSpeaker] = useState<"todo" | "yes" | "no">("todo");
  const [verdict, setVerdict] = useState<Verdict>("checking");
  const level = useLevel(state.microphone.status === "on" ? state.microphone.track : null);
  if (level > HEARD && !heard) setHeard(true);
  const onVerdict = useCallback((result: Verdict) => setVerdict(result), []);
  const start = () => {
    setStarted(true);
    // The check looks at both, whatever was chosen for the last call.
    void devices.startAll();
  };

  const steps = stepStates(state, { started, heard, speaker, verdict });
  const ready = Object.values(steps).every((step) => step === "done");
  return (
    <div className="c-root" data-phase={ready ? "ready" : started ? "checking" : "start"}>
      <Shell title={t("check.title")} width="narrow">
        <div className="stack">
          <h1>{t("check.title")}</h1>
          <p className="soft">{t("check.intro")}</p>
          <ol className="c-steps">
            <Step title={t("check.permission")} state={steps.permission}>
              {started ? (
                steps.permission === "running" && <p>{t("check.permission_asking")}</p>
              ) : (
                <>
                  <p>{t("check.permission_help")}</p>
                  <Button variant="primary" icon={Video} onPress={start} data-testid="check-start">
                    {t("check.start")}
                  </Button>
                </>
              )}
              {started && <DeviceTrouble devices={devices} />}
            </Step>
            <Step title={t("device.camera")} state={steps.camera}>
              {state.camera.status === "on" && state.camera.track && (
                <>
                  <div className="c-preview">
                    <SelfVideo track={state.camera.track} mirrored label={t("self.label")} />
                  </div>
                  <p>{t("check.camera_help")}</p>
                </>
              )}
            </Step>
            <Step title={t("device.microphone")} state={steps.microphone}>
              {state.microphone.status === "on" && (
                <>
                  <p>{heard ? t("check.microphone_heard") : t("check.microphone_help")}</p>
                  <MicrophoneLevel devices={devices} />
                </>
              )}
            </Step>
            <Step title={t("device.speaker")} state={steps.speaker}>
              {started && (
                <>
                  <SpeakerTest devices={devices} />
                  <p>
                    {speaker === "no" ? t("check.speaker_no_help") : t("check.speaker_question")}
                  </p>
                  <div className="row">
                    <Button onPress={() => setSpeaker("yes")} data-testid="heard">
                      {t("check.yes")}
                    </Button>
                    <Button onPress={() => setSpeaker("no")}>{t("check.no")}</Button>
                  </div>
                </>
              )}
            </Step>
            <Step title={t("check.connection")} state={steps.connection}>
              {started && <ConnectionVerdict onVerdict={onVerdict} />}
            </Step>
          </ol>
          {started && (
            <details className="c-details">
              <summary>{t("check.other_devices")}</summary>
              <DeviceLists devices={devices} />
            </details>
          )}
          <div role="status">
            {ready && (
              <div className="c-ready" data-testid="ready">
                <Check size={28} aria-hidden />
                <div className="stack-tight">
                  <h2>{t("check.ready")}</h2>
                  <p>{t("check.ready_help")}</p>
                </div>
              </div>
            )}
          </div>
        </div>
      </Shell>
    </div>
  );
}

interface Progress {
  started: boolean;
  heard: boolean;
  speaker: "todo" | "yes" | "no";
  verdict: Verdict;
}

function stepStates(
  { camera, microphone }: DeviceState,
  { started, heard, speaker, verdict }: Progress,
) {
  const device = (status: string, done: boolean): StepState => {
    if (!started) return "todo";
    if (status === "problem") return "trouble";
    return done ? "done" : "running";
  };
  const asked = camera.status !== "starting" && microphone.status !== "starting";
  const allowed = camera.status === "on" || microphone.status === "on";
  const permission: StepState = !started
    ? "todo"
    : !asked
      ? "running"
      : allowed
        ? "done"
        : "trouble";
  const connection: StepState =
    verdict === "checking"
      ? "running"
      : verdict === "offline" || verdict === "blocked"
        ? "trouble"
        : "done";
  return {
    permission,
    camera: device(camera.status, camera.status === "on"),
    microphone: device(microphone.status, heard),
    speaker: !started
      ? "todo"
      : speaker === "yes"
        ? "done"
        : speaker === "no"
          ? "trouble"
          : "running",
    connection: started ? connection : "todo",
  } satisfies Record<string, StepState>;
}

function Step({
  title,
  state,
  children,
}: {
  title: string;
  state: StepState;
  children?: ReactNode;
}) {
  const t = useCallText();
  const words = {
    todo: t("check.state_todo"),
    running: t("check.state_running"),
    done: t("check.state_done"),
    trouble: t("check.state_trouble"),
  };
  return (
    <li className={`c-step c-step-${state}`} data-state={state}>
      <span className="c-step-mark">
        {state === "done" && <Check size={18} aria-hidden />}
        {state === "trouble" && <CircleAlert size={18} aria-hidden />}
        {state === "running" && <Spinner small />}
        <span className="visually-hidden">{words[state]}</span>
      </span>
      <div className="c-step-body">
        <h2>{title}</h2>
        {children}
      </div>
    </li>
  );
}
