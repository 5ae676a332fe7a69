import { Check, Copy, MonitorCheck, Video } from "lucide-react";
import { useState } from "react";
import type { PublicAppointment } from "../../api";
import { useT } from "../../i18n";
import { useTimeFormat } from "../../time";
import { Button, ButtonLink } from "../../ui";
import { joinPath, type AppointmentPhase } from "./model";

const DAY_MS = 86_400_000;

export interface JoinCardProps {
  readonly appointment: PublicAppointment;
  readonly phase: AppointmentPhase;
}

/** The one thing to do: join, or test before it is time. */
export function JoinCard({ appointment, phase }: JoinCardProps) {
  const t = useT();
  const time = useTimeFormat();
  const path = joinPath(appointment);
  const open = phase.kind === "open";
  const opensAt = time.dateTime(appointment.join.opens_at, appointment.client.time_zone);
  return (
    <section className="card stack" aria-label={t("appointment.join")}>
      {open ? (
        <>
          <p className="strong">{t("appointment.open_now")}</p>
          <ButtonLink to={path} variant="primary" size="large" icon={Video} wide>
            {t("appointment.join")}
          </ButtonLink>
        </>
      ) : (
        <>
          <Button variant="primary" size="large" icon={Video} wide isDisabled>
            {t("appointment.join")}
          </Button>
          <p className="small soft">
            {phase.kind === "before" && phase.opensInMs < DAY_MS ? (
              <>
                {t("appointment.opens_in")}{" "}
                <strong className="tabular ltr" role="timer">
                  {time.countdown(phase.opensInMs)}
                </strong>
              </>
            ) : (
              t("appointment.opens_at", { time: opensAt })
            )}
          </p>
        </>
      )}
      <ButtonLink to="/check" variant="secondary" icon={MonitorCheck} wide>
        {t("appointment.test")}
      </ButtonLink>
      <div className="join-code">
        <div>
          <div className="caption">{t("appointment.code")}</div>
          <code className="ltr">{appointment.join.code}</code>
        </div>
        <CopyButton text={new URL(path, window.location.href).href} />
      </div>
    </section>
  );
}

function CopyButton({ text }: { text: string }) {
  const t = useT();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2500);
    } catch {
      // Without permission the code beside the button can still be read out.
    }
  };
  return (
    <>
      <Button
        size="small"
        variant="quiet"
        icon={copied ? Check : Copy}
        onPress={() => void copy()}
      >
        {copied ? t("appointment.copied") : t("appointment.copy")}
      </Button>
      <span role="status" className="visually-hidden">
        {copied ? t("appointment.copied") : ""}
      </span>
    </>
  );
}
