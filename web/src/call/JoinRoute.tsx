import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useLocation, useNavigate, useParams } from "react-router";
import { Shell, useTitle } from "../app/Shell";
import { Loading } from "../ui";
import { useCallText, type CallText } from "./call-messages";
import type { Connection } from "./model/call-model";
import type { JoinPhase, JoinState } from "./model/join-model";
import { openSession, type Session } from "./session";
import { Call } from "./views/Call";
import { Ending } from "./views/Ending";
import { useStore } from "./views/hooks";
import { Prejoin } from "./views/Prejoin";
import { TooEarly } from "./views/TooEarly";
import { Waiting } from "./views/Waiting";
import "./call.css";

/** `/j/:token`: from the link to the goodbye. */
export default function JoinRoute() {
  const { token = "" } = useParams();
  const location = useLocation();
  const navigate = useNavigate();
  const isStraight = (location.state as { straight?: boolean } | null)?.straight === true;
  const goesStraight = useRef(isStraight);
  const [session, setSession] = useState<Session | null>(null);
  useEffect(() => {
    // Once: coming back to this page later asks for a click again.
    if (isStraight) void navigate(location.pathname + location.search, { replace: true });
  }, [isStraight, location.pathname, location.search, navigate]);
  useEffect(() => {
    const opened = openSession(token);
    const onPageHide = () => opened.join.pageHidden();
    window.addEventListener("pagehide", onPageHide);
    setSession(opened);
    void opened.join.load().then(() => {
      if (!goesStraight.current) return;
      goesStraight.current = false;
      // The call takes in the devices as they come; what they were set to last time still holds.
      if (opened.join.store.get().phase === "prejoin") void opened.devices.start();
      void opened.join.joinStraight();
    });
    return () => {
      window.removeEventListener("pagehide", onPageHide);
      opened.dispose();
    };
  }, [token]);
  return session ? <Join session={session} /> : null;
}

function Join({ session }: { session: Session }) {
  const t = useCallText();
  const state = useStore(session.join.store);
  const connection = useConnection(state);
  useTitle(pageTitle(state, t));
  if (state.phase === "call" && state.call) {
    return (
      <div
        className="c-root"
        data-phase={phaseName("call", connection)}
        data-connection={connection}
      >
        <Call session={session} call={state.call} />
      </div>
    );
  }
  const isWide =
    state.phase === "prejoin" || state.phase === "entering" || state.phase === "waiting";
  return (
    <div
      className="c-root"
      data-phase={phaseName(state.phase, connection)}
      data-connection="none"
      data-problem={state.problem?.kind}
    >
      <Shell
        title={pageTitle(state, t)}
        brand={state.view?.appointment.organisation.name}
        width={isWide ? "wide" : "narrow"}
      >
        <Page session={session} state={state} />
      </Shell>
    </div>
  );
}

function Page({ session, state }: { session: Session; state: JoinState }) {
  const t = useCallText();
  switch (state.phase) {
    case "loading":
    case "call":
      return (
        <>
          <h1 className="visually-hidden">{t("loading")}</h1>
          <Loading label={t("loading")} lines={4} />
        </>
      );
    case "too_early":
      return state.view && <TooEarly session={session} view={state.view} />;
    case "prejoin":
    case "entering":
      return <Prejoin session={session} />;
    case "waiting":
      return <Waiting session={session} />;
    case "declined":
    case "removed":
    case "ended":
    case "cancelled":
    case "left":
    case "problem":
      return <Ending session={session} />;
  }
}

const NEVER = () => () => undefined;

function useConnection({ call }: JoinState): Connection | "none" {
  const store = call?.store;
  return useSyncExternalStore(store?.subscribe ?? NEVER, () => store?.get().connection ?? "none");
}

/** What tests and styles read at the root: the phase as the person lives it. */
function phaseName(phase: JoinPhase, connection: Connection | "none"): string {
  if (phase === "problem") return "error";
  if (phase !== "call") return phase;
  switch (connection) {
    case "connected":
    case "resuming":
      return "in_call";
    case "reconnecting":
    case "retrying":
      return "reconnecting";
    case "failed":
      return "error";
    case "connecting":
    case "closed":
    case "none":
      return "connecting";
  }
}

function pageTitle({ phase, view }: JoinState, t: CallText): string {
  const service = view?.appointment.service_name ?? "";
  switch (phase) {
    case "waiting":
      return t("waiting.title");
    case "call":
      return service;
    case "prejoin":
    case "entering":
      return t("prejoin.title");
    case "too_early":
      return t("early.title");
    default:
      return service;
  }
}
