import { Headphones } from "lucide-react";
import type { JoinView } from "../../api";
import { useNow, useTimeFormat } from "../../time";
import { ButtonLink } from "../../ui";
import { useCallText } from "../call-messages";
import type { Session } from "../session";
import { AppointmentSummary } from "./AppointmentSummary";

const HOUR_MS = 3_600_000;

export function TooEarly({ session, view }: { session: Session; view: JoinView }) {
  const t = useCallText();
  const format = useTimeFormat();
  const now = session.join.clock.now(useNow(1000));
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const opensMs = Date.parse(view.window.opens_at);
  const leftMs = opensMs - now;
  return (
    <div className="c-notice stack" data-testid="too-early">
      <h1>{t("early.title")}</h1>
      <AppointmentSummary view={view} />
      <div className="c-countdown">
        <span className="soft">{t("early.opens_in")}</span>
        <strong className="tabular c-countdown-time" role="timer">
          {leftMs > 24 * HOUR_MS ? format.relative(opensMs, now) : format.countdown(leftMs)}
        </strong>
        <span className="soft">
          {t("early.opens_at", { time: format.dateTime(opensMs, zone) })}
        </span>
      </div>
      <p>{t("early.stay")}</p>
      <div>
        <ButtonLink to="/check" variant="primary" icon={Headphones}>
          {t("check.link")}
        </ButtonLink>
      </div>
    </div>
  );
}
