import { Check, Mic, MicOff, UserX, Video, VideoOff, X } from "lucide-react";
import { useNow, useTimeFormat } from "../../time";
import { Avatar, Banner, Button, IconButton } from "../../ui";
import { useCallText } from "../call-messages";
import type { CallModel } from "../model/call-model";
import type { Session } from "../session";
import { useStore } from "./hooks";
import { QualityBars } from "./Tile";

export interface SidePanelProps {
  readonly session: Session;
  readonly call: CallModel;
  readonly onClose: () => void;
}

/** Who waits (for those who may admit) and who is here. */
export function SidePanel({ session, call, onClose }: SidePanelProps) {
  const t = useCallText();
  const { people } = useStore(call.store);
  const { canHost } = useStore(session.host.store);
  return (
    <section className="c-panel" aria-label={t("control.people")} data-testid="panel">
      <header className="c-panel-head">
        <h2>{t("control.people")}</h2>
        <IconButton icon={X} label={t("action.close")} onPress={onClose} />
      </header>
      {canHost && <WaitingList session={session} />}
      <section className="stack">
        <h3>{t("people.in_call", { count: people.length })}</h3>
        <ul className="c-people">
          {people.map((person) => (
            <li key={person.identity} className="c-person">
              <Avatar name={person.name === "" ? "?" : person.name} size={36} />
              <bdi className="grow c-person-name">
                {person.isLocal
                  ? t("tile.you", { name: person.name })
                  : person.name === ""
                    ? t("tile.guest")
                    : person.name}
              </bdi>
              <span
                role="img"
                aria-label={person.microphoneOn ? t("people.microphone_on") : t("tile.muted")}
              >
                {person.microphoneOn ? (
                  <Mic size={18} aria-hidden />
                ) : (
                  <MicOff size={18} aria-hidden />
                )}
              </span>
              <span
                role="img"
                aria-label={person.cameraOn ? t("people.camera_on") : t("people.camera_off")}
              >
                {person.cameraOn ? (
                  <Video size={18} aria-hidden />
                ) : (
                  <VideoOff size={18} aria-hidden />
                )}
              </span>
              <QualityBars quality={person.quality} />
            </li>
          ))}
        </ul>
      </section>
    </section>
  );
}

export function WaitingList({ session }: { session: Session }) {
  const t = useCallText();
  const format = useTimeFormat();
  const { host, join } = session;
  const { waiting, busy, error } = useStore(host.store);
  const now = join.clock.now(useNow(1000));
  return (
    <section className="stack" data-testid="waiting-list">
      <h3>{t("people.waiting")}</h3>
      {error === "admit_failed" && (
        <Banner tone="danger" role="alert">
          {t("people.admit_failed")}
        </Banner>
      )}
      {waiting.length === 0 ? (
        <p className="soft">{t("people.nobody_waits")}</p>
      ) : (
        <ul className="c-people">
          {waiting.map((person) => (
            <li key={person.participantId} className="c-waiting">
              <Avatar name={person.name} size={36} />
              <span className="grow">
                <bdi className="c-person-name">{person.name}</bdi>
                <span className="caption tabular">
                  {t("people.waiting_for", {
                    time: format.countdown(Math.max(0, now - person.sinceMs)),
                  })}
                </span>
              </span>
              <span className="c-waiting-actions">
                <Button
                  variant="primary"
                  size="small"
                  icon={Check}
                  isDisabled={busy.includes(person.participantId)}
                  onPress={() => void host.admit(person.participantId)}
                  data-testid="admit"
                >
                  {t("people.admit")}
                </Button>
                <Button
                  size="small"
                  icon={UserX}
                  isDisabled={busy.includes(person.participantId)}
                  onPress={() => void host.decline(person.participantId)}
                  data-testid="decline"
                >
                  {t("people.decline")}
                </Button>
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
