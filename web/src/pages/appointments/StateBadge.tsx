import { CalendarCheck, CalendarX, CircleCheck, DoorOpen, UserX, Video } from "lucide-react";
import type { AppointmentState } from "../../api";
import { useT } from "../../i18n";
import type { IconType } from "../../ui";

const LOOKS: Readonly<Record<AppointmentState, readonly [IconType, string]>> = {
  scheduled: [CalendarCheck, "plain"],
  waiting: [DoorOpen, "warn"],
  in_progress: [Video, "accent"],
  completed: [CircleCheck, "good"],
  cancelled: [CalendarX, "plain"],
  no_show: [UserX, "plain"],
};

export function StateBadge({ state }: { state: AppointmentState }) {
  const t = useT();
  const [Icon, look] = LOOKS[state];
  return (
    <span className={`badge badge-${look}`}>
      <Icon size={14} aria-hidden />
      {t(`state.${state}`)}
    </span>
  );
}
