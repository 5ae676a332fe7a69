import { CalendarClock } from "lucide-react";
import type { JoinView } from "../../api";
import { useTimeFormat } from "../../time";
import { Avatar } from "../../ui";
import { useCallText } from "../call-messages";

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Who, what and when; the provider's clock too where it differs. */
export function AppointmentSummary({ view }: { view: JoinView }) {
  const t = useCallText();
  const format = useTimeFormat();
  const zone = ownZone();
  const { provider, start, end, service_name, client_name } = view.appointment;
  const isProvider = view.role === "provider";
  const other = isProvider
    ? (client_name ?? view.appointment.organisation.labels.client)
    : provider.name;
  const theirTime = format.timeRange(start, end, provider.time_zone);
  const ownTime = format.timeRange(start, end, zone);
  return (
    <div className="c-summary">
      <Avatar name={other} size={56} />
      <div className="stack-tight">
        <strong className="c-summary-name">{other}</strong>
        <span className="soft">
          {!isProvider && provider.title ? `${provider.title} · ` : ""}
          {service_name}
        </span>
        <span className="c-summary-time tabular">
          <CalendarClock size={18} aria-hidden />
          <span>
            {format.shortDate(start, zone)}, <bdi>{ownTime}</bdi>{" "}
            <span className="soft">{format.zoneName(zone, start)}</span>
          </span>
        </span>
        {!isProvider && theirTime !== ownTime && (
          <span className="caption">
            {t("summary.provider_time", { time: theirTime, name: provider.name })}
          </span>
        )}
      </div>
    </div>
  );
}
