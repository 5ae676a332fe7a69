import { RotateCw, Volume2 } from "lucide-react";
import { useEffect, useState } from "react";
import { useNow } from "../../time";
import { Banner, Button } from "../../ui";
import { useCallText, type CallText } from "../call-messages";
import { thisClient } from "../model/capability";
import type { Announcement, CallModel, ConnectionFailure } from "../model/call-model";
import type { DeviceModel, DeviceNotice } from "../model/device-model";
import type { Session } from "../session";
import { chooseDevice } from "./DeviceControls";
import { troubleAdvice, troubleTitle } from "./DeviceTrouble";
import { useStore } from "./hooks";

/** What the call has to say, above the stage: trouble first. */
export function CallNotices({ session, call }: { session: Session; call: CallModel }) {
  const t = useCallText();
  const { audioBlocked, shareProblem, connection } = useStore(call.store);
  const { waiting } = useStore(session.host.store);
  useEffect(() => {
    if (!audioBlocked) return;
    // Any click or key is the gesture that the browser waits for.
    const unblock = () => void call.unblockAudio();
    document.addEventListener("click", unblock);
    document.addEventListener("keydown", unblock);
    return () => {
      document.removeEventListener("click", unblock);
      document.removeEventListener("keydown", unblock);
    };
  }, [audioBlocked, call]);
  return (
    <div className="c-notices">
      <ConnectionNotice call={call} session={session} />
      {audioBlocked && connection === "connected" && (
        <Banner
          tone="warn"
          role="alert"
          title={t("audio.blocked")}
          actions={
            <Button
              variant="primary"
              icon={Volume2}
              onPress={() => void call.unblockAudio()}
              data-testid="unblock-audio"
            >
              {t("audio.turn_on")}
            </Button>
          }
        >
          {t("audio.blocked_help")}
        </Banner>
      )}
      {shareProblem && (
        <Banner
          tone="warn"
          role="alert"
          title={t("share.failed")}
          actions={
            <Button size="small" onPress={() => call.dismissShareProblem()}>
              {t("action.close")}
            </Button>
          }
        >
          {shareProblem === "denied_by_system"
            ? t("share.denied_by_system")
            : t("share.failed_help")}
        </Banner>
      )}
      <InputNotices devices={session.devices} />
      <Toasts call={call} devices={session.devices} />
      <p role="status" className="visually-hidden">
        {waiting.length > 0 && t("control.people_waiting", { count: waiting.length })}
      </p>
    </div>
  );
}

/**
 * A camera or microphone that fails in the call. What failed before was seen on the page before, and joining was the
 * answer to it: it is shown again only when the person tries again.
 */
function InputNotices({ devices }: { devices: DeviceModel }) {
  const t = useCallText();
  const { camera, microphone } = useStore(devices.store);
  const [seen, setSeen] = useState({
    camera: camera.status === "problem",
    microphone: microphone.status === "problem",
  });
  const current = {
    camera: seen.camera && camera.status === "problem",
    microphone: seen.microphone && microphone.status === "problem",
  };
  if (current.camera !== seen.camera || current.microphone !== seen.microphone) setSeen(current);
  const shown = (["microphone", "camera"] as const).filter((kind) => {
    const { problem, wanted } = kind === "camera" ? camera : microphone;
    return problem !== null && wanted && !current[kind];
  });
  const isBoth = shown.length === 2 && camera.problem === microphone.problem;
  return (isBoth ? (["both"] as const) : shown).map((which) => {
    const problem = which === "camera" ? camera.problem : microphone.problem;
    const kinds = which === "both" ? (["microphone", "camera"] as const) : [which];
    if (!problem) return null;
    return (
      <Banner
        key={which}
        tone="warn"
        role="status"
        title={troubleTitle(which, problem, t)}
        actions={
          <>
            <Button size="small" icon={RotateCw} onPress={() => void devices.retry()}>
              {t("action.try_again")}
            </Button>
            <Button
              size="small"
              variant="quiet"
              onPress={() => kinds.forEach((kind) => void devices.setOn(kind, false))}
            >
              {t("action.without")}
            </Button>
          </>
        }
      >
        {troubleAdvice(problem, thisClient(), t)}
      </Banner>
    );
  });
}

function ConnectionNotice({ call, session }: { call: CallModel; session: Session }) {
  const t = useCallText();
  const { connection, failure, nextAttemptMs, established } = useStore(call.store);
  const now = useNow(500);
  if (connection === "failed" && failure) {
    const { title, help } = failureTexts(failure, t);
    return (
      <Banner
        tone="danger"
        role="alert"
        title={title}
        actions={
          <>
            <Button
              variant="primary"
              icon={RotateCw}
              onPress={() => void call.retryNow()}
              data-testid="rejoin"
            >
              {established ? t("action.rejoin") : t("action.try_again")}
            </Button>
            <Button onPress={() => void session.join.leave()}>{t("control.leave")}</Button>
          </>
        }
      >
        <p>{help}</p>
        <p className="caption">{t("problem.code", { code: failure })}</p>
      </Banner>
    );
  }
  if (connection !== "reconnecting" && connection !== "retrying") return null;
  const seconds = nextAttemptMs === null ? 0 : Math.max(0, Math.ceil((nextAttemptMs - now) / 1000));
  return (
    <div data-testid="reconnecting">
      <Banner
        tone="warn"
        role="status"
        title={established ? t("reconnect.title") : t("reconnect.first_title")}
        actions={
          connection === "retrying" && (
            <Button size="small" icon={RotateCw} onPress={() => void call.retryNow()}>
              {t("reconnect.now")}
            </Button>
          )
        }
      >
        {t("reconnect.help")} {/* Not read out each second. */}
        {seconds > 0 && <span aria-hidden>{t("reconnect.next", { count: seconds })}</span>}
      </Banner>
    </div>
  );
}

function failureTexts(failure: ConnectionFailure, t: CallText): { title: string; help: string } {
  switch (failure) {
    case "media_blocked":
      return { title: t("failure.media_blocked"), help: t("failure.media_blocked_help") };
    case "server_gone":
      return { title: t("failure.server_gone"), help: t("failure.server_gone_help") };
    case "refused":
      return { title: t("failure.refused"), help: t("failure.refused_help") };
    case "unexpected":
      return { title: t("problem.unexpected"), help: t("problem.unexpected_help") };
  }
}

const TOAST_MS = 5_000;

/** Short news of people and devices, seen and read out. */
function Toasts({ call, devices }: { call: CallModel; devices: DeviceModel }) {
  const t = useCallText();
  const { announcement } = useStore(call.store);
  const { notice } = useStore(devices.store);
  const showAnnouncement = useFresh(announcement?.id ?? 0);
  const showNotice = useFresh(notice?.id ?? 0);
  const canUse = notice?.kind === "added";
  return (
    <div className="c-toasts" role="status" aria-live="polite" data-testid="live">
      {showAnnouncement && announcement && (
        <span className={announcement.kind === "reconnecting" ? "visually-hidden" : "c-toast"}>
          {announcementText(announcement, t)}
        </span>
      )}
      {showNotice && notice && (
        <span className="c-toast">
          {noticeText(notice, t)}
          {canUse && (
            <Button
              size="small"
              onPress={() => chooseDevice(devices, `${notice.device}:${notice.deviceId}`)}
            >
              {t("notice.use")}
            </Button>
          )}
        </span>
      )}
    </div>
  );
}

/** True for a while after `id` changes. */
function useFresh(id: number): boolean {
  const [expired, setExpired] = useState(0);
  useEffect(() => {
    if (id === 0) return;
    const timer = setTimeout(() => setExpired(id), TOAST_MS);
    return () => clearTimeout(timer);
  }, [id]);
  return id > expired;
}

function announcementText({ kind, name }: Announcement, t: CallText): string {
  const who = name === "" ? t("tile.guest") : name;
  switch (kind) {
    case "joined":
      return t("live.joined", { name: who });
    case "left":
      return t("live.left", { name: who });
    case "reconnecting":
      return t("live.reconnecting");
    case "reconnected":
      return t("live.reconnected");
    case "share_started":
      return t("live.share_started");
    case "share_ended":
      return t("live.share_ended");
  }
}

function noticeText({ kind, label }: DeviceNotice, t: CallText): string {
  const device = label === "" ? t("notice.a_device") : label;
  switch (kind) {
    case "added":
      return t("notice.added", { device });
    case "removed":
      return t("notice.removed", { device });
    case "switched":
      return t("notice.switched", { device });
  }
}
