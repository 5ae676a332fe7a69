import { CalendarPlus } from "lucide-react";
import { fullName, publicApi, type PublicAppointment } from "../../api";
import { useT } from "../../i18n";
import { Button, Menu } from "../../ui";
import { calendarLinks, joinPath } from "./model";

export interface AddToCalendarProps {
  readonly appointment: PublicAppointment;
  readonly manageToken: string;
}

export function AddToCalendar({ appointment, manageToken }: AddToCalendarProps) {
  const t = useT();
  const join = new URL(joinPath(appointment), window.location.href).href;
  const add = (id: string) => {
    if (id === "ics") {
      window.location.assign(publicApi.calendarUrl(manageToken));
      return;
    }
    const links = calendarLinks(appointment, {
      title: `${appointment.service.name}: ${fullName(appointment.provider)}`,
      description: `${t("appointment.join")}: ${join}\n${appointment.number}`,
      location: join,
    });
    window.open(id === "google" ? links.google : links.outlook, "_blank", "noopener,noreferrer");
  };
  return (
    <Menu
      label={t("appointment.add_calendar")}
      trigger={<Button icon={CalendarPlus}>{t("appointment.add_calendar")}</Button>}
      placement="bottom start"
      groups={[
        {
          entries: [
            { id: "ics", label: t("appointment.calendar_file") },
            { id: "google", label: "Google Calendar" },
            { id: "outlook", label: "Outlook" },
          ],
        },
      ]}
      onAction={add}
    />
  );
}
