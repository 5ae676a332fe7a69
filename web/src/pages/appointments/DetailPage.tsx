import { ArrowLeft, PhoneOff, Play } from "lucide-react";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import { useNavigate, useParams } from "react-router";
import { type Appointment, fullName, memberApi, memberStream, useData } from "../../api";
import { MemberShell } from "../../app/MemberShell";
import { ProblemBanner, ProblemPage } from "../../app/Problem";
import { useMe } from "../../app/session";
import { useT } from "../../i18n";
import { cityOf, deviceZone, sameClock, useTimeFormat } from "../../time";
import { Button, ButtonLink, ConfirmDialog, Loading, TextField } from "../../ui";
import { canStart } from "../dashboard/model";
import { deviceText } from "./device";
import { actualMinutes } from "./model";
import { StateBadge } from "./StateBadge";
import "./appointments.css";

export default function DetailPage() {
  const t = useT();
  const { id = "" } = useParams();
  const load = useCallback((signal: AbortSignal) => memberApi.appointment(id, signal), [id]);
  const { data, error, reload, set } = useData(load);

  useEffect(
    () =>
      memberStream({
        events: {
          // Each new connection starts with it: what happened meanwhile has to be asked for.
          hello: reload,
          appointment: (changed) => {
            if ((changed as Appointment).id === id) set(changed as Appointment);
          },
        },
      }),
    [id, set, reload],
  );

  if (error && !data) return <ProblemPage error={error} onRetry={reload} />;
  return (
    <MemberShell title={data?.number ?? t("appointment.title")} width="normal">
      {data ? (
        <Detail appointment={data} onChange={set} />
      ) : (
        <Loading label={t("ui.loading")} lines={6} />
      )}
    </MemberShell>
  );
}

type Asking = "cancel" | "end" | null;

interface DetailProps {
  readonly appointment: Appointment;
  readonly onChange: (appointment: Appointment) => void;
}

function Detail({ appointment, onChange }: DetailProps) {
  const t = useT();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<Asking>(null);
  const [reason, setReason] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const run = async (action: () => Promise<void>) => {
    setPending(true);
    setError(null);
    try {
      await action();
    } catch (problem) {
      setError(problem);
    }
    setAsking(null);
    setPending(false);
  };
  const start = () =>
    run(async () => {
      const { join_token } = await memberApi.start(appointment.id);
      await navigate(`/j/${encodeURIComponent(join_token)}`);
    });
  const inCall = appointment.state === "in_progress";

  return (
    <div className="stack">
      <ButtonLink
        to="/appointments"
        variant="quiet"
        size="small"
        icon={ArrowLeft}
        directional
        className="back-link"
      >
        {t("nav.appointments")}
      </ButtonLink>
      <header className="row-between">
        <div className="stack-tight">
          <h1>{appointment.client.name}</h1>
          <div className="row">
            <StateBadge state={appointment.state} />
            <span className="soft ltr tabular">{appointment.number}</span>
          </div>
        </div>
        {canStart(appointment) && (
          <div className="row">
            {inCall ? (
              <Button icon={PhoneOff} onPress={() => setAsking("end")}>
                {t("detail.end")}
              </Button>
            ) : (
              <Button variant="quiet" onPress={() => setAsking("cancel")}>
                {t("appointment.cancel")}
              </Button>
            )}
            <Button
              variant="primary"
              icon={Play}
              isPending={pending && asking === null}
              onPress={() => void start()}
            >
              {inCall ? t("dashboard.return") : t("dashboard.start")}
            </Button>
          </div>
        )}
      </header>
      {error !== null && <ProblemBanner error={error} />}
      <Facts appointment={appointment} />
      <Stays appointment={appointment} />
      <ConfirmDialog
        isOpen={asking === "cancel"}
        onClose={() => setAsking(null)}
        title={t("appointment.cancel_title")}
        confirm={t("appointment.cancel")}
        cancel={t("appointment.keep")}
        isPending={pending}
        onConfirm={() =>
          void run(async () => onChange(await memberApi.cancel(appointment.id, reason.trim())))
        }
      >
        <p>{t("detail.cancel_what", { name: appointment.client.name })}</p>
        <TextField
          label={t("appointment.cancel_reason")}
          optional={t("ui.optional")}
          rows={2}
          maxLength={500}
          value={reason}
          onChange={setReason}
        />
      </ConfirmDialog>
      <ConfirmDialog
        isOpen={asking === "end"}
        onClose={() => setAsking(null)}
        title={t("detail.end_title")}
        confirm={t("detail.end")}
        isPending={pending}
        onConfirm={() => void run(async () => onChange(await memberApi.end(appointment.id)))}
      >
        <p>{t("detail.end_what")}</p>
      </ConfirmDialog>
    </div>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ appointment }: { appointment: Appointment }) {
  const t = useT();
  const me = useMe();
  const time = useTimeFormat();
  const zone = deviceZone();
  const { start, end, client, cancelled } = appointment;
  const minutes = actualMinutes(appointment);
  return (
    <section className="card">
      <dl className="fact-grid">
        <Fact label={t("appointment.when")}>
          {time.date(start, zone)}
          <div className="tabular">{time.timeRange(start, end, zone)}</div>
          <div className="caption">{time.zoneName(zone, start)}</div>
          {!sameClock(zone, client.time_zone, new Date(start)) && (
            <div className="caption">
              {t("time.at_place", {
                time: time.dateTime(start, client.time_zone),
                place: cityOf(client.time_zone),
              })}
            </div>
          )}
        </Fact>
        <Fact label={t("appointment.what")}>
          {appointment.service.name}
          <div className="caption">{t(`kind.${appointment.service.kind}`)}</div>
        </Fact>
        <Fact label={me.organisation.labels.provider}>{fullName(appointment.provider)}</Fact>
        <Fact label={me.organisation.labels.client}>
          {client.name}
          <div className="small">
            <a href={`mailto:${client.email}`} className="ltr">
              {client.email}
            </a>
          </div>
          {client.phone && (
            <div className="small">
              <a href={`tel:${client.phone}`} className="ltr">
                {client.phone}
              </a>
            </div>
          )}
        </Fact>
        <Fact label={t("detail.actual")}>
          {appointment.actual_start ? (
            <span className="tabular">
              {time.clock(appointment.actual_start, zone)}
              {" – "}
              {appointment.actual_end ? time.clock(appointment.actual_end, zone) : t("detail.running")}
              {minutes !== undefined && <span className="soft"> ({time.duration(minutes)})</span>}
            </span>
          ) : (
            <span className="soft">{t("detail.not_started")}</span>
          )}
        </Fact>
        <Fact label={t("detail.booked_at")}>{time.dateTime(appointment.created_at, zone)}</Fact>
        {appointment.note && (
          <Fact label={t("booking.note")}>
            <bdi className="pre-line">{appointment.note}</bdi>
          </Fact>
        )}
        {cancelled && (
          <Fact label={t("state.cancelled")}>
            {time.dateTime(cancelled.at, zone)}
            {cancelled.reason && <div className="small soft pre-line">{cancelled.reason}</div>}
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Stays({ appointment }: { appointment: Appointment }) {
  const t = useT();
  const time = useTimeFormat();
  const zone = deviceZone();
  return (
    <section className="stack">
      <h2>{t("detail.participants")}</h2>
      {appointment.participants.length === 0 ? (
        <p className="soft">{t("detail.no_participants")}</p>
      ) : (
        <div className="table-frame">
          <table className="table table-stack stay-table" role="table">
            <caption className="visually-hidden">{t("detail.participants")}</caption>
            <thead>
              <tr>
                <th scope="col">{t("detail.name")}</th>
                <th scope="col">{t("detail.joined")}</th>
                <th scope="col">{t("detail.left")}</th>
                <th scope="col">{t("detail.device")}</th>
                <th scope="col">{t("detail.network")}</th>
              </tr>
            </thead>
            <tbody>
              {appointment.participants.map((stay) => (
                <tr key={`${stay.identity} ${stay.joined_at}`} role="row">
                  <td role="cell">{stay.name}</td>
                  <td role="cell" data-label={t("detail.joined")} className="tabular">
                    {time.clock(stay.joined_at, zone)}
                  </td>
                  <td role="cell" data-label={t("detail.left")} className="tabular">
                    {stay.left_at ? time.clock(stay.left_at, zone) : t("detail.still_there")}
                  </td>
                  <td role="cell" data-label={t("detail.device")} className="small">
                    {deviceText(stay.device, t) || "–"}
                  </td>
                  <td role="cell" data-label={t("detail.network")} className="small">
                    <span className="ltr">{stay.network ?? "–"}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
