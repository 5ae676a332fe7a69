import { DoorOpen, Undo2, UserCheck, UserX, Users } from "lucide-react";
import { useState } from "react";
import { memberApi, type Appointment, type WaitingParticipant } from "../../api";
import { useT } from "../../i18n";
import { useTimeFormat } from "../../time";
import { Avatar, Button, ConfirmDialog } from "../../ui";
import { deviceText } from "../appointments/device";
import { admitted, canStart, providerIsIn, type Waiter } from "./model";

export interface QueueProps {
  readonly waiting: readonly Waiter[];
  readonly all: readonly Appointment[];
  readonly now: number;
  readonly onChange: (appointment: Appointment) => void;
  readonly onEnter: (appointment: Appointment) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Who waits since when, and what to do about it. */
export function Queue({ waiting, all, now, onChange, onEnter, onError }: QueueProps) {
  const t = useT();
  const [busy, setBusy] = useState<string | null>(null);
  const [declining, setDeclining] = useState<Waiter | null>(null);
  const inCall = all.filter(canStart).flatMap((appointment) =>
    admitted(appointment).map((participant) => ({ appointment, participant })),
  );

  const act = async (key: string, command: () => Promise<Appointment>, enter = false) => {
    setBusy(key);
    onError(null);
    try {
      const changed = await command();
      onChange(changed);
      // One press from "waiting" to seeing each other.
      if (enter && !providerIsIn(changed)) await onEnter(changed);
    } catch (problem) {
      onError(problem);
    }
    setBusy(null);
  };
  const together = (appointment: Appointment) =>
    waiting.filter((waiter) => waiter.appointment.id === appointment.id);

  return (
    <section className="stack" aria-labelledby="queue">
      <h2 id="queue" className="queue-title">
        {t("dashboard.waiting")}
        {waiting.length > 0 && <span className="count tabular">{waiting.length}</span>}
      </h2>
      <div role="status" className="visually-hidden">
        {waiting.length > 0 ? t("dashboard.waiting_count", { count: waiting.length }) : ""}
      </div>
      {waiting.length === 0 && inCall.length === 0 && (
        <div className="card empty">
          <DoorOpen size={28} aria-hidden />
          <p>{t("dashboard.nobody")}</p>
        </div>
      )}
      {(waiting.length > 0 || inCall.length > 0) && (
        <ul className="queue">
          {waiting.map((waiter) => {
            const { appointment, participant } = waiter;
            const key = participant.participant_id;
            const group = together(appointment);
            return (
              <li key={`${appointment.id} ${key}`} className="queue-row">
                <Who waiter={waiter} now={now} />
                <div className="queue-actions">
                  <Button
                    variant="primary"
                    icon={UserCheck}
                    isPending={busy === key}
                    onPress={() => void act(key, () => memberApi.admit(appointment.id, key), true)}
                    aria-label={t("dashboard.admit_name", { name: participant.name })}
                  >
                    {t("dashboard.admit")}
                  </Button>
                  {group.length > 1 && group[0] === waiter && (
                    <Button
                      icon={Users}
                      isPending={busy === `all ${appointment.id}`}
                      onPress={() =>
                        void act(
                          `all ${appointment.id}`,
                          () => memberApi.admitAll(appointment.id),
                          true,
                        )
                      }
                    >
                      {t("dashboard.admit_all")}
                    </Button>
                  )}
                  <Button
                    variant="quiet"
                    icon={UserX}
                    onPress={() => setDeclining(waiter)}
                    aria-label={t("dashboard.decline_name", { name: participant.name })}
                  >
                    {t("dashboard.decline")}
                  </Button>
                </div>
              </li>
            );
          })}
          {inCall.map((waiter) => {
            const { appointment, participant } = waiter;
            const key = participant.participant_id;
            return (
              <li key={`${appointment.id} ${key}`} className="queue-row queue-in">
                <Who waiter={waiter} now={now} />
                <div className="queue-actions">
                  <Button
                    variant="quiet"
                    icon={Undo2}
                    directional
                    isPending={busy === key}
                    onPress={() => void act(key, () => memberApi.sendBack(appointment.id, key))}
                    aria-label={t("dashboard.send_back_name", { name: participant.name })}
                  >
                    {t("dashboard.send_back")}
                  </Button>
                </div>
              </li>
            );
          })}
        </ul>
      )}
      <ConfirmDialog
        isOpen={declining !== null}
        onClose={() => setDeclining(null)}
        title={t("dashboard.decline_title", { name: declining?.participant.name ?? "" })}
        confirm={t("dashboard.decline")}
        isPending={busy !== null}
        onConfirm={() => {
          if (!declining) return;
          const { appointment, participant } = declining;
          void act(participant.participant_id, () =>
            memberApi.decline(appointment.id, participant.participant_id),
          ).then(() => setDeclining(null));
        }}
      >
        <p>{t("dashboard.decline_what")}</p>
      </ConfirmDialog>
    </section>
  );
}

function Who({ waiter, now }: { waiter: Waiter; now: number }) {
  const { appointment, participant } = waiter;
  const t = useT();
  const device = deviceText(participant.device, t);
  return (
    <div className="queue-who">
      <Avatar name={participant.name} size={44} />
      <div className="grow">
        <div className="strong">{participant.name}</div>
        <Since participant={participant} appointment={appointment} now={now} />
        {device !== "" && <div className="caption">{device}</div>}
      </div>
    </div>
  );
}

interface SinceProps {
  readonly participant: WaitingParticipant;
  readonly appointment: Appointment;
  readonly now: number;
}

function Since({ participant, appointment, now }: SinceProps) {
  const t = useT();
  const time = useTimeFormat();
  const planned = time.time(appointment.start, Intl.DateTimeFormat().resolvedOptions().timeZone);
  const minutes = Math.max(0, Math.floor((now - Date.parse(participant.since)) / 60_000));
  return (
    <div className="small soft">
      <span className="tabular">
        {participant.state === "admitted"
          ? t("dashboard.in_call")
          : minutes === 0
            ? t("dashboard.waits_now")
            : t("dashboard.waits_for", { time: time.duration(minutes) })}
      </span>
      {" · "}
      <span className="tabular">{planned}</span> {appointment.service.name}
    </div>
  );
}
