import { CalendarDays, Hash, UserRound, Video } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { useLocation, useParams } from "react-router";
import { fullName, publicApi, type PublicAppointment, useData } from "../../api";
import { ProblemBanner, ProblemPage } from "../../app/Problem";
import { Shell } from "../../app/Shell";
import { useT } from "../../i18n";
import { cityOf, deviceZone, sameClock, useNow, useTimeFormat } from "../../time";
import { Avatar, Banner, Button, ButtonLink, ConfirmDialog, Loading, TextField } from "../../ui";
import { AddToCalendar } from "./AddToCalendar";
import { JoinCard } from "./JoinCard";
import { phaseOf } from "./model";
import "./appointment.css";

/** Someone else may cancel or end it meanwhile. */
const REFRESH_MS = 30_000;

export default function AppointmentPage() {
  const t = useT();
  const { manageToken = "" } = useParams();
  const load = useCallback(
    (signal: AbortSignal) => publicApi.appointment(manageToken, signal),
    [manageToken],
  );
  const { data, error, reload, set } = useData(load);

  useEffect(() => {
    const refresh = () => document.visibilityState === "visible" && reload();
    const timer = setInterval(refresh, REFRESH_MS);
    document.addEventListener("visibilitychange", refresh);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", refresh);
    };
  }, [reload]);

  if (error && !data) return <ProblemPage error={error} onRetry={reload} />;
  return (
    <Shell
      title={t("appointment.title")}
      brand={data?.organisation.name}
      brandTo={data ? `/o/${encodeURIComponent(data.organisation.slug)}` : "/"}
    >
      {data ? (
        <Appointment appointment={data} manageToken={manageToken} onChange={set} />
      ) : (
        <Loading label={t("ui.loading")} lines={6} />
      )}
    </Shell>
  );
}

interface AppointmentProps {
  readonly appointment: PublicAppointment;
  readonly manageToken: string;
  readonly onChange: (appointment: PublicAppointment) => void;
}

function Appointment({ appointment, manageToken, onChange }: AppointmentProps) {
  const t = useT();
  const now = useNow();
  const booked = (useLocation().state as { booked?: boolean } | null)?.booked === true;
  const [cancelling, setCancelling] = useState(false);
  const phase = phaseOf(appointment, now);
  const live = phase.kind === "before" || phase.kind === "open";

  return (
    <div className="stack appointment">
      <header className="stack-tight">
        <h1>
          {booked && live ? t("appointment.booked") : t("appointment.with", { name: fullName(appointment.provider) })}
        </h1>
        {booked && live && (
          <p className="soft">{t("appointment.booked_mail", { email: appointment.client.email })}</p>
        )}
      </header>
      <Outcome appointment={appointment} kind={phase.kind} />
      <div className="appointment-layout">
        <Facts appointment={appointment} now={now} />
        {live && (
          <>
            <JoinCard appointment={appointment} phase={phase} />
            <div className="row appointment-actions">
              <AddToCalendar appointment={appointment} manageToken={manageToken} />
              {appointment.can_cancel && (
                <Button variant="quiet" onPress={() => setCancelling(true)}>
                  {t("appointment.cancel")}
                </Button>
              )}
            </div>
            <Prepare />
          </>
        )}
      </div>
      <CancelDialog
        appointment={appointment}
        manageToken={manageToken}
        isOpen={cancelling}
        onClose={() => setCancelling(false)}
        onCancelled={onChange}
      />
    </div>
  );
}

/** What became of an appointment that cannot be joined any more. */
function Outcome({
  appointment,
  kind,
}: {
  appointment: PublicAppointment;
  kind: ReturnType<typeof phaseOf>["kind"];
}) {
  const t = useT();
  if (kind === "before" || kind === "open") return null;
  const again = (
    <ButtonLink to={`/o/${encodeURIComponent(appointment.organisation.slug)}`} size="small">
      {t("appointment.book_again")}
    </ButtonLink>
  );
  return (
    <Banner
      tone={kind === "completed" ? "good" : "info"}
      role="status"
      title={t(`appointment.${kind}`)}
      actions={again}
    >
      {t(`appointment.${kind}_do`)}
    </Banner>
  );
}

function Facts({ appointment, now }: { appointment: PublicAppointment; now: number }) {
  const t = useT();
  const time = useTimeFormat();
  const { start, end, provider, client } = appointment;
  const at = new Date(start);
  const here = deviceZone();
  // Booked for one zone, opened in another (or kept somewhere else): both clocks are said.
  const zones = [
    { zone: provider.time_zone, text: "time.at_place" as const },
    { zone: here, text: "time.on_device" as const },
  ].filter(({ zone }, index, all) => {
    const earlier = [client.time_zone, ...all.slice(0, index).map((entry) => entry.zone)];
    return earlier.every((other) => !sameClock(zone, other, at));
  });
  const soon = Math.abs(Date.parse(start) - now) < 48 * 3_600_000 && Date.parse(start) > now;
  return (
    <section className="card stack" aria-label={t("appointment.details")}>
      <div className="row">
        <Avatar name={provider.name} size={56} />
        <div className="grow">
          <div className="strong">{fullName(provider)}</div>
          <div className="small soft">{appointment.organisation.name}</div>
        </div>
      </div>
      <dl className="details">
        <div>
          <dt>
            <CalendarDays size={18} aria-hidden />
            <span className="visually-hidden">{t("appointment.when")}</span>
          </dt>
          <dd>
            <strong>{time.date(start, client.time_zone)}</strong>
            <div className="tabular">
              {time.timeRange(start, end, client.time_zone)}
              {soon && <span className="soft"> · {time.relative(start, now)}</span>}
            </div>
            <div className="small soft">{time.zoneName(client.time_zone, start)}</div>
            {zones.map(({ zone, text }) => (
              <div key={zone} className="small soft">
                {t(text, { time: time.dateTime(start, zone), place: cityOf(zone) })}
              </div>
            ))}
          </dd>
        </div>
        <div>
          <dt>
            <Video size={18} aria-hidden />
            <span className="visually-hidden">{t("appointment.what")}</span>
          </dt>
          <dd>
            {appointment.service.name}
            <div className="small soft">{t(`kind.${appointment.service.kind}`)}</div>
          </dd>
        </div>
        <div>
          <dt>
            <UserRound size={18} aria-hidden />
            <span className="visually-hidden">{appointment.organisation.labels.client}</span>
          </dt>
          <dd>
            {client.name}
            {appointment.note && <bdi className="small soft note">{appointment.note}</bdi>}
          </dd>
        </div>
        <div>
          <dt>
            <Hash size={18} aria-hidden />
            <span className="visually-hidden">{t("appointment.number")}</span>
          </dt>
          <dd>
            <span className="ltr tabular">{appointment.number}</span>
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Prepare() {
  const t = useT();
  return (
    <section className="card stack-tight prepare">
      <h2 className="h3">{t("appointment.prepare")}</h2>
      <ul>
        <li>{t("appointment.prepare_device")}</li>
        <li>{t("appointment.prepare_place")}</li>
        <li>{t("appointment.prepare_papers")}</li>
        <li>{t("appointment.prepare_test")}</li>
      </ul>
    </section>
  );
}

interface CancelDialogProps {
  readonly appointment: PublicAppointment;
  readonly manageToken: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly onCancelled: (appointment: PublicAppointment) => void;
}

function CancelDialog({ appointment, manageToken, isOpen, onClose, onCancelled }: CancelDialogProps) {
  const t = useT();
  const time = useTimeFormat();
  const [reason, setReason] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const cancel = async () => {
    setPending(true);
    setError(null);
    try {
      onCancelled(await publicApi.cancel(manageToken, reason.trim() || undefined));
      onClose();
    } catch (problem) {
      setError(problem);
    }
    setPending(false);
  };
  return (
    <ConfirmDialog
      isOpen={isOpen}
      onClose={onClose}
      title={t("appointment.cancel_title")}
      confirm={t("appointment.cancel")}
      cancel={t("appointment.keep")}
      onConfirm={() => void cancel()}
      isPending={pending}
    >
      <p>
        {t("appointment.cancel_what", {
          name: fullName(appointment.provider),
          time: time.dateTime(appointment.start, appointment.client.time_zone),
        })}
      </p>
      {error !== null && <ProblemBanner error={error} />}
      <TextField
        label={t("appointment.cancel_reason")}
        optional={t("ui.optional")}
        rows={2}
        maxLength={500}
        value={reason}
        onChange={setReason}
      />
    </ConfirmDialog>
  );
}
