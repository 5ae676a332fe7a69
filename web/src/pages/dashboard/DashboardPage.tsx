import { Bell, BellOff, CalendarClock, MonitorDot, Play } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { Link, useNavigate } from "react-router";
import { type Appointment, fullName, memberApi } from "../../api";
import { MemberShell } from "../../app/MemberShell";
import { ProblemBanner } from "../../app/Problem";
import { managesPractice, useMe } from "../../app/session";
import { useT } from "../../i18n";
import { dateIn, deviceZone, useNow, useTimeFormat } from "../../time";
import { Banner, Button, ButtonLink, Loading, Toggle } from "../../ui";
import { StateBadge } from "../appointments/StateBadge";
import { useBell, type Bell as BellState } from "./bell";
import { canStart, days, waiters, type Waiter } from "./model";
import { Queue } from "./Queue";
import { useDashboard } from "./useDashboard";
import "./dashboard.css";

const NOW_EVERY_MS = 10_000;

export default function DashboardPage() {
  const t = useT();
  const me = useMe();
  const time = useTimeFormat();
  const navigate = useNavigate();
  const now = useNow(NOW_EVERY_MS);
  const zone = deviceZone();
  const bell = useBell();
  const { ring } = bell;
  const onArrival = useCallback(
    ({ appointment, participant }: Waiter) =>
      ring(t("dashboard.arrived", { name: participant.name }), appointment.service.name),
    [ring, t],
  );
  const { list, error, live, reload, take } = useDashboard(onArrival);
  const [failed, setFailed] = useState<unknown>(null);
  const [starting, setStarting] = useState<string | null>(null);

  const today = dateIn(now, zone);
  const waiting = useMemo(() => waiters(list ?? []), [list]);
  const byDay = useMemo(() => days(list ?? [], zone, today), [list, zone, today]);
  const todays = byDay.find((day) => day.date === today)?.appointments ?? [];
  const later = byDay.filter((day) => day.date > today);

  const enter = async (appointment: Appointment, straight = false) => {
    setStarting(appointment.id);
    setFailed(null);
    try {
      const { join_token } = await memberApi.start(appointment.id);
      await navigate(`/j/${encodeURIComponent(join_token)}`, { state: { straight } });
    } catch (problem) {
      setFailed(problem);
      setStarting(null);
    }
  };

  return (
    <MemberShell title={waiting.length > 0 ? `(${waiting.length}) ${t("dashboard.title")}` : t("dashboard.title")}>
      <div className="stack-wide">
        <header className="row-between">
          <div className="stack-tight">
            <h1>{t("dashboard.title")}</h1>
            <p className="soft">
              {time.date(now, zone)} · <span className="tabular">{time.time(now, zone)}</span>{" "}
              {time.zoneName(zone, now)}
            </p>
          </div>
          <BellControls bell={bell} />
        </header>
        {live === "broken" && (
          <Banner tone="warn" role="status" title={t("dashboard.offline")}>
            {t("dashboard.offline_do")}
          </Banner>
        )}
        {error && <ProblemBanner error={error} onRetry={reload} />}
        {failed !== null && <ProblemBanner error={failed} />}
        {!list && !error && <Loading label={t("ui.loading")} lines={5} />}
        {list && (
          <>
            <Queue waiting={waiting} all={list} now={now} onChange={take} onEnter={(appointment) => enter(appointment, true)} onError={setFailed} />
            <section className="stack" aria-labelledby="today">
              <h2 id="today">{t("dashboard.today")}</h2>
              {todays.length === 0 ? (
                <Empty />
              ) : (
                <ul className="agenda">
                  {todays.map((appointment) => (
                    <Row
                      key={appointment.id}
                      appointment={appointment}
                      zone={zone}
                      starting={starting === appointment.id}
                      onStart={() => void enter(appointment)}
                      showProvider={managesPractice(me)}
                    />
                  ))}
                </ul>
              )}
            </section>
            {later.length > 0 && (
              <section className="stack" aria-labelledby="later">
                <h2 id="later">{t("dashboard.later")}</h2>
                {later.map(({ date, appointments }) => (
                  <div key={date} className="stack-tight">
                    <h3 className="agenda-day">{time.date(`${date}T12:00:00Z`, "UTC")}</h3>
                    <ul className="agenda">
                      {appointments.map((appointment) => (
                        <Row
                          key={appointment.id}
                          appointment={appointment}
                          zone={zone}
                          showProvider={managesPractice(me)}
                        />
                      ))}
                    </ul>
                  </div>
                ))}
              </section>
            )}
          </>
        )}
      </div>
    </MemberShell>
  );
}

function BellControls({ bell }: { bell: BellState }) {
  const t = useT();
  return (
    <div className="row">
      <Toggle
        size="small"
        icon={bell.muted ? BellOff : Bell}
        isSelected={!bell.muted}
        onChange={(on) => bell.setMuted(!on)}
      >
        {bell.muted ? t("dashboard.bell_off") : t("dashboard.bell_on")}
      </Toggle>
      {bell.notices === "default" && (
        <Button size="small" variant="quiet" icon={MonitorDot} onPress={bell.askForNotices}>
          {t("dashboard.notices")}
        </Button>
      )}
    </div>
  );
}

function Empty() {
  const t = useT();
  return (
    <div className="card empty">
      <CalendarClock size={28} aria-hidden />
      <p>{t("dashboard.empty")}</p>
      <ButtonLink to="/settings/availability" size="small">
        {t("dashboard.empty_do")}
      </ButtonLink>
    </div>
  );
}

interface RowProps {
  readonly appointment: Appointment;
  readonly zone: string;
  readonly showProvider: boolean;
  readonly starting?: boolean;
  readonly onStart?: () => void;
}

function Row({ appointment, zone, showProvider, starting, onStart }: RowProps) {
  const t = useT();
  const time = useTimeFormat();
  const over = !canStart(appointment);
  return (
    <li className={`agenda-row${over ? " agenda-over" : ""}`}>
      <div className="agenda-time tabular">{time.timeRange(appointment.start, appointment.end, zone)}</div>
      <div className="agenda-who">
        <Link to={`/appointments/${appointment.id}`} className="strong">
          {appointment.client.name}
        </Link>
        <div className="small soft">
          {appointment.service.name}
          {showProvider && ` · ${fullName(appointment.provider)}`}
        </div>
      </div>
      <StateBadge state={appointment.state} />
      <div className="agenda-action">
        {onStart && !over && (
          <Button size="small" icon={Play} isPending={starting} onPress={onStart}>
            {appointment.state === "in_progress" ? t("dashboard.return") : t("dashboard.start")}
          </Button>
        )}
      </div>
    </li>
  );
}
