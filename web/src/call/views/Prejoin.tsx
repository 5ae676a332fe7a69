import { LogIn, SwitchCamera, VideoOff } from "lucide-react";
import { useEffect, useState, type FormEvent } from "react";
import { Banner, Button, IconButton, Spinner, TextField } from "../../ui";
import { useCallText, type CallKey } from "../call-messages";
import { thisClient } from "../model/capability";
import { checkConnection, type Verdict } from "../model/connection-check";
import type { DeviceModel } from "../model/device-model";
import type { Session } from "../session";
import { AppointmentSummary } from "./AppointmentSummary";
import { DeviceToggle, MicrophoneLevel, SpeakerTest } from "./DeviceControls";
import { DeviceTrouble } from "./DeviceTrouble";
import { useStore } from "./hooks";
import { SelfVideo } from "./SelfVideo";

export function Prejoin({ session }: { session: Session }) {
  const t = useCallText();
  const { join, devices, preload } = session;
  const { view, phase, enterError } = useStore(join.store);
  const [name, setName] = useState(() => join.proposedName());
  const [nameError, setNameError] = useState(false);

  useEffect(() => {
    void devices.start();
    preload();
  }, [devices, preload]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === "") setNameError(true);
    else void join.join(name);
  };
  if (!view) return null;
  return (
    <div className="c-prejoin">
      <div className="c-prejoin-view">
        <Preview devices={devices} />
        <MicrophoneLevel devices={devices} />
      </div>
      <div className="c-prejoin-extra">
        <SpeakerTest devices={devices} />
      </div>
      <form className="c-prejoin-form" onSubmit={submit} noValidate>
        <div className="stack-tight">
          <h1>{t("prejoin.title")}</h1>
          <p className="soft">
            {view.role === "provider" ? t("prejoin.next_provider") : t("prejoin.next_client")}
          </p>
        </div>
        <AppointmentSummary view={view} />
        <TextField
          label={t("prejoin.name")}
          value={name}
          onChange={(value) => {
            setName(value);
            setNameError(false);
          }}
          description={t("prejoin.name_help")}
          error={nameError ? t("prejoin.name_missing") : null}
          maxLength={80}
          autoComplete="name"
          isRequired
        />
        <DeviceTrouble devices={devices} canJoin />
        <ConnectionVerdict />
        {enterError && (
          <Banner tone="danger" role="alert" title={t("prejoin.failed")}>
            {t("prejoin.failed_help")}{" "}
            <span className="caption">{t("problem.code", { code: enterError })}</span>
          </Banner>
        )}
        <Button
          type="submit"
          variant="primary"
          size="large"
          icon={phase === "entering" ? Busy : LogIn}
          directional
          wide
          data-testid="join"
        >
          {t("prejoin.join")}
        </Button>
      </form>
    </div>
  );
}

/** In place of an icon while the click is at work; a second click does nothing. */
function Busy() {
  return <Spinner small />;
}

/** Self view or plate, with the toggles on it. */
export function Preview({ devices }: { devices: DeviceModel }) {
  const t = useCallText();
  const { camera, facing, cameras } = useStore(devices.store);
  return (
    <div className="c-preview" data-testid="preview" data-camera={camera.status}>
      {camera.status === "on" && camera.track ? (
        <SelfVideo track={camera.track} mirrored={facing === "user"} label={t("self.label")} />
      ) : (
        <div className="c-plate">
          <VideoOff size={32} aria-hidden />
          <span>{camera.status === "starting" ? t("self.starting") : t("self.camera_off")}</span>
        </div>
      )}
      <div className="c-preview-bar">
        <DeviceToggle devices={devices} kind="microphone" />
        <DeviceToggle devices={devices} kind="camera" />
        {thisClient().kind !== "desktop" && cameras.length > 1 && (
          <IconButton
            icon={SwitchCamera}
            label={t("control.flip")}
            className="c-flip"
            onPress={() => void devices.flip()}
          />
        )}
      </div>
    </div>
  );
}

const VERDICTS: Record<Verdict, { tone: string; key: CallKey & `verdict.${string}` }> = {
  checking: { tone: "none", key: "verdict.checking" },
  good: { tone: "good", key: "verdict.good" },
  fair: { tone: "fair", key: "verdict.fair" },
  poor: { tone: "poor", key: "verdict.poor" },
  offline: { tone: "bad", key: "verdict.offline" },
  blocked: { tone: "bad", key: "verdict.blocked" },
};

/** The connection in words; measured anew when the network changes. */
export function ConnectionVerdict({ onVerdict }: { onVerdict?: (verdict: Verdict) => void }) {
  const t = useCallText();
  const [verdict, setVerdict] = useState<Verdict>("checking");
  useEffect(() => {
    let current = true;
    const measure = () => {
      setVerdict("checking");
      void checkConnection().then((result) => {
        if (!current) return;
        setVerdict(result);
        onVerdict?.(result);
      });
    };
    measure();
    window.addEventListener("online", measure);
    return () => {
      current = false;
      window.removeEventListener("online", measure);
    };
  }, [onVerdict]);
  const { tone, key } = VERDICTS[verdict];
  return (
    <p className="c-verdict" role="status" data-testid="verdict" data-verdict={verdict}>
      <Bars tone={tone} />
      <span>{t(key)}</span>
    </p>
  );
}

const LIT: Record<string, number> = { good: 4, fair: 3, poor: 2, bad: 1, none: 0 };

/** Signal bars; decorative, the words stand beside them. */
export function Bars({ tone }: { tone: string }) {
  const lit = LIT[tone] ?? 0;
  return (
    <svg viewBox="0 0 20 16" width="20" height="16" aria-hidden className={`c-bars c-bars-${tone}`}>
      {[0, 1, 2, 3].map((bar) => (
        <rect
          key={bar}
          x={bar * 5 + 0.5}
          y={12 - bar * 4}
          width="4"
          height={4 + bar * 4}
          rx="1"
          className={bar < lit ? "c-bar-lit" : "c-bar-dim"}
        />
      ))}
    </svg>
  );
}
