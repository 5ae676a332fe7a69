import { Mail } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { memberApi, useData } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { safeNext } from "../../app/session";
import { Shell } from "../../app/Shell";
import { useT } from "../../i18n";
import { Banner, Button, TextField } from "../../ui";
import "./auth.css";

type Busy = "password" | "link" | null;

export default function SignInPage() {
  const t = useT();
  const navigate = useNavigate();
  const [search] = useSearchParams();
  const next = safeNext(search.get("next"));
  const { data: me } = useData(memberApi.me);
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [checked, setChecked] = useState<Busy>(null);
  const [busy, setBusy] = useState<Busy>(null);
  const [sentTo, setSentTo] = useState("");
  const [error, setError] = useState<unknown>(null);
  const form = useRef<HTMLFormElement>(null);

  if (me) return <Navigate to={next} replace />;

  const emailWrong = !/^[^\s@]+@[^\s@]+$/.test(email.trim());
  const run = async (what: Exclude<Busy, null>, action: () => Promise<void>) => {
    setChecked(what);
    if (emailWrong || (what === "password" && password === "")) {
      const name = emailWrong ? "email" : "password";
      form.current?.querySelector<HTMLElement>(`[name="${name}"]`)?.focus();
      return;
    }
    setBusy(what);
    setError(null);
    try {
      await action();
    } catch (problem) {
      setError(problem);
    }
    setBusy(null);
  };
  const signIn = () =>
    run("password", async () => {
      await memberApi.login(email.trim(), password);
      await navigate(next, { replace: true });
    });
  const sendLink = () =>
    run("link", async () => {
      await memberApi.requestMagicLink(email.trim());
      setSentTo(email.trim());
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void signIn();
  };

  return (
    <Shell title={t("auth.sign_in")} width="narrow">
      <div className="stack auth">
        <header className="stack-tight">
          <h1>{t("auth.sign_in")}</h1>
          <p className="soft">{t("auth.for_members")}</p>
        </header>
        {error !== null && <ProblemBanner error={error} />}
        {sentTo !== "" && (
          <Banner tone="good" role="status" title={t("auth.link_sent")}>
            {t("auth.link_sent_do", { email: sentTo })}
          </Banner>
        )}
        <form ref={form} className="card stack" onSubmit={submit} noValidate>
          <TextField
            label={t("booking.email")}
            name="email"
            type="email"
            inputMode="email"
            autoComplete="username"
            ltr
            isRequired
            value={email}
            onChange={setEmail}
            error={checked && emailWrong ? t("booking.email_wrong") : null}
          />
          <TextField
            label={t("auth.password")}
            name="password"
            type="password"
            autoComplete="current-password"
            ltr
            value={password}
            onChange={setPassword}
            error={checked === "password" && password === "" ? t("auth.password_missing") : null}
          />
          <Button type="submit" variant="primary" wide isPending={busy === "password"}>
            {t("auth.sign_in")}
          </Button>
          <div className="auth-or">
            <span>{t("auth.or")}</span>
          </div>
          <Button icon={Mail} wide isPending={busy === "link"} onPress={() => void sendLink()}>
            {t("auth.send_link")}
          </Button>
        </form>
        <p className="small soft">{t("auth.no_account")}</p>
      </div>
    </Shell>
  );
}
