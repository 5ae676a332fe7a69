import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { isApiError, memberApi, onSignedOut, useData, type Me } from "../api";
import { useT } from "../i18n";
import { Loading } from "../ui";
import { ProblemPage } from "./Problem";
import { Shell } from "./Shell";

const MeContext = createContext<Me | null>(null);
const SignOutContext = createContext<() => Promise<void>>(() => Promise.resolve());

/** The signed-in member; only below `RequireMember`. */
export function useMe(): Me {
  const me = use(MeContext);
  if (!me) throw new Error("useMe needs RequireMember above it");
  return me;
}

export function useSignOut(): () => Promise<void> {
  return use(SignOutContext);
}

/** Whether the member runs the practice, not only his own appointments. */
export function managesPractice(me: Me): boolean {
  return me.member.role === "admin" || me.member.role === "manager";
}

/** Where to go after signing in: a path of ours, never another site. */
export function safeNext(next: string | null): string {
  return next?.startsWith("/") && !/^\/[/\\]/.test(next) ? next : "/dashboard";
}

/** Pages of members: loads who is signed in, or leads to the sign-in page and back. */
export function RequireMember() {
  const t = useT();
  const location = useLocation();
  const { data, error, reload } = useData(memberApi.me);
  const [signedOut, setSignedOut] = useState(false);
  const [expired, setExpired] = useState(false);
  useEffect(() => onSignedOut(() => setExpired(true)), []);
  const signOut = useCallback(async () => {
    await memberApi.logout();
    setSignedOut(true);
  }, []);

  if (signedOut) return <Navigate to="/sign-in" replace />;
  if (expired || (isApiError(error) && error.status === 401)) {
    const next = encodeURIComponent(location.pathname + location.search);
    return <Navigate to={`/sign-in?next=${next}`} replace />;
  }
  if (error && !data) return <ProblemPage error={error} onRetry={reload} />;
  if (!data) {
    return (
      <Shell title="" width="wide">
        <Loading label={t("ui.loading")} />
      </Shell>
    );
  }
  return (
    <SessionProvider me={data} signOut={signOut}>
      <Outlet />
    </SessionProvider>
  );
}

function SessionProvider(props: { me: Me; signOut: () => Promise<void>; children: ReactNode }) {
  const signOut = useMemo(() => props.signOut, [props.signOut]);
  return (
    <MeContext value={props.me}>
      <SignOutContext value={signOut}>{props.children}</SignOutContext>
    </MeContext>
  );
}
