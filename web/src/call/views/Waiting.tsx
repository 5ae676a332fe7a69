import { LogOut } from "lucide-react";
import { useTimeFormat, useNow } from "../../time";
import { Button } from "../../ui";
import { useCallText } from "../call-messages";
import type { Session } from "../session";
import { AppointmentSummary } from "./AppointmentSummary";
import { MicrophoneLevel } from "./DeviceControls";
import { DeviceTrouble } from "./DeviceTrouble";
import { useStore } from "./hooks";
import { Preview } from "./Prejoin";

export function Waiting({ session }: { session: Session }) {
  const t = useCallText();
  const format = useTimeFormat();
  const { join, devices } = session;
  const { view } = useStore(join.store);
  const now = join.clock.now(useNow(1000));
  if (!view) return null;
  const { provider } = view.appointment;
  const startMs = Date.parse(view.appointment.start);
  const sinceMs = view.waiting_since ? Date.parse(view.waiting_since) : now;
  return (
    <div className="c-prejoin" data-testid="waiting">
      <div className="c-prejoin-view">
        <Preview devices={devices} />
        <MicrophoneLevel devices={devices} />
      </div>
      <div className="c-prejoin-form">
        <div className="stack-tight" role="status">
          <h1>{t("waiting.title")}</h1>
          <p className="soft">{t("waiting.next", { name: provider.name })}</p>
        </div>
        <AppointmentSummary view={view} />
        <dl className="c-facts">
          <div>
            <dt>{t("waiting.since")}</dt>
            <dd className="tabular" data-testid="waiting-time">
              {format.countdown(Math.max(0, now - sinceMs))}
            </dd>
          </div>
          <div>
            <dt>{t("waiting.starts")}</dt>
            <dd>{format.relative(startMs, now)}</dd>
          </div>
        </dl>
        <p className="small soft">{t("waiting.privacy")}</p>
        <DeviceTrouble devices={devices} />
        <div>
          <Button
            icon={LogOut}
            directional
            onPress={() => void join.leave()}
            data-testid="waiting-leave"
          >
            {t("waiting.leave")}
          </Button>
        </div>
      </div>
    </div>
  );
}
