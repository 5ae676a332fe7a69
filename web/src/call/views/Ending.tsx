import { Headphones, Keyboard, LayoutDashboard, LogIn, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { useNow, useTimeFormat } from "../../time";
import { Button, ButtonLink } from "../../ui";
import { useCallText, type CallText } from "../call-messages";
import { thisClient } from "../model/capability";
import type { JoinProblem, JoinState } from "../model/join-model";
import type { Session } from "../session";
import { useStore } from "./hooks";

/** Every page after which nothing happens by itself: what happened, and what to do. */
export function Ending({ session }: { session: Session }) {
  const t = useCallText();
  const { join } = session;
  const state = useStore(join.store);
  useNow(30_000);
  const rejoin = join.canRejoin() && (
    <Button
      variant="primary"
      icon={LogIn}
      directional
      onPress={() => void join.rejoin()}
      data-testid="rejoin"
    >
      {t("action.rejoin")}
    </Button>
  );
  const dashboard = state.view?.role === "provider" && (
    <ButtonLink to="/dashboard" icon={LayoutDashboard}>
      {t("end.dashboard")}
    </ButtonLink>
  );
  switch (state.phase) {
    case "left":
      return (
        <Notice
          title={state.joinedMs === null ? t("end.left_waiting") : t("end.left")}
          actions={
            <>
              {rejoin}
              {dashboard}
            </>
          }
        >
          <Times state={state} />
          {rejoin && <p>{t("end.left_help")}</p>}
        </Notice>
      );
    case "ended":
      return (
        <Notice title={t("end.ended")} actions={dashboard}>
          <Times state={state} />
          <p>{t("end.ended_help")}</p>
        </Notice>
      );
    case "cancelled":
      return (
        <Notice title={t("end.cancelled")}>
          <p>{t("end.cancelled_help")}</p>
        </Notice>
      );
    case "declined":
      return (
        <Notice title={t("end.declined")}>
          <p>{t("end.declined_help", { name: state.view?.appointment.provider.name ?? "" })}</p>
        </Notice>
      );
    case "removed":
      return (
        <Notice title={t("end.removed")}>
          <Times state={state} />
          <p>{t("end.removed_help")}</p>
        </Notice>
      );
    default:
      return <ProblemNotice session={session} />;
  }
}

function ProblemNotice({ session }: { session: Session }) {
  const t = useCallText();
  const { problem } = useStore(session.join.store);
  const kind = problem?.kind ?? "unexpected";
  const { title, help } = problemTexts(kind, t);
  const retry = RETRYABLE.has(kind) && (
    <Button
      variant="primary"
      icon={RotateCw}
      onPress={() => void session.join.load()}
      data-testid="retry"
    >
      {kind === "replaced" ? t("problem.use_here") : t("action.try_again")}
    </Button>
  );
  return (
    <Notice
      title={title}
      actions={
        <>
          {retry}
          {kind === "link_invalid" && (
            <ButtonLink to="/join" icon={Keyboard}>
              {t("problem.enter_code")}
            </ButtonLink>
          )}
          {(kind === "server_unreachable" || kind === "unsupported") && (
            <ButtonLink to="/check" icon={Headphones}>
              {t("check.link")}
            </ButtonLink>
          )}
        </>
      }
    >
      <p>{help}</p>
      <p className="caption">{t("problem.code", { code: problem?.code ?? "unexpected" })}</p>
    </Notice>
  );
}

const RETRYABLE: ReadonlySet<JoinProblem> = new Set([
  "server_unreachable",
  "too_many_attempts",
  "room_full",
  "replaced",
  "unexpected",
]);

function problemTexts(kind: JoinProblem, t: CallText): { title: string; help: string } {
  switch (kind) {
    case "link_invalid":
      return { title: t("problem.link_invalid"), help: t("problem.link_invalid_help") };
    case "link_expired":
      return { title: t("problem.link_expired"), help: t("problem.link_expired_help") };
    case "room_full":
      return { title: t("problem.room_full"), help: t("problem.room_full_help") };
    case "server_unreachable":
      return { title: t("problem.server"), help: t("problem.server_help") };
    case "too_many_attempts":
      return { title: t("problem.too_many"), help: t("problem.too_many_help") };
    case "replaced":
      return { title: t("problem.replaced"), help: t("problem.replaced_help") };
    case "unsupported":
      return {
        title: t("problem.unsupported"),
        help:
          thisClient().os === "ios" ? t("problem.unsupported_ios") : t("problem.unsupported_help"),
      };
    case "unexpected":
      return { title: t("problem.unexpected"), help: t("problem.unexpected_help") };
  }
}

function Times({ state }: { state: JoinState }) {
  const t = useCallText();
  const format = useTimeFormat();
  const { joinedMs, leftMs } = state;
  if (joinedMs === null || leftMs === null) return null;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <dl className="c-facts">
      <div>
        <dt>{t("end.joined")}</dt>
        <dd className="tabular">{format.clock(joinedMs, zone)}</dd>
      </div>
      <div>
        <dt>{t("end.left_at")}</dt>
        <dd className="tabular">{format.clock(leftMs, zone)}</dd>
      </div>
      <div>
        <dt>{t("end.duration")}</dt>
        <dd className="tabular">{format.countdown(leftMs - joinedMs)}</dd>
      </div>
    </dl>
  );
}

function Notice({
  title,
  children,
  actions,
}: {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="c-notice stack">
      <h1 tabIndex={-1}>{title}</h1>
      {children}
      {actions && <div className="row">{actions}</div>}
    </div>
  );
}
