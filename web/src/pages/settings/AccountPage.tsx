import { useState, type FormEvent } from "react";
import { fullName, isApiError, memberApi } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { useMe } from "../../app/session";
import { useT } from "../../i18n";
import { cityOf } from "../../time";
import { Avatar, Banner, Button, TextField } from "../../ui";
import { useSaving } from "./useSaving";

/** The server asks for at least as many. */
const SHORTEST_PASSWORD = 10;

export default function AccountPage() {
  const t = useT();
  const { member } = useMe();
  return (
    <div className="stack-wide">
      <header className="stack">
        <h1>{t("nav.account")}</h1>
        <div className="row">
          <Avatar name={member.name} size={56} />
          <div className="grow">
            <div className="strong">{fullName(member)}</div>
            <div className="small soft">
              {[t(`role.${member.role}`), cityOf(member.time_zone)]
                .filter(Boolean)
                .join(" · ")}
            </div>
            <div className="small soft ltr">{member.email}</div>
          </div>
        </div>
      </header>
      <PasswordForm />
    </div>
  );
}

function PasswordForm() {
  const t = useT();
  const saving = useSaving();
  const [hasOne, setHasOne] = useState(useMe().member.has_password);
  const [current, setCurrent] = useState("");
  const [fresh, setFresh] = useState("");
  const [checked, setChecked] = useState(false);
  const short = fresh.length < SHORTEST_PASSWORD;
  const currentWrong = isApiError(saving.error, "credentials_wrong");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (short) return;
    const done = await saving.run(async () => {
      await memberApi.changePassword(fresh, current || undefined);
    });
    if (done) {
      setHasOne(true);
      setCurrent("");
      setFresh("");
      setChecked(false);
    }
  };
  return (
    <form className="card stack account-form" onSubmit={(event) => void submit(event)} noValidate>
      <h2 className="h3">{t("account.password")}</h2>
      {saving.general && !currentWrong && <ProblemBanner error={saving.error} />}
      {saving.saved && <Banner tone="good" role="status" title={t("account.password_saved")} />}
      {hasOne ? (
        <TextField
          label={t("account.current")}
          type="password"
          autoComplete="current-password"
          ltr
          value={current}
          onChange={setCurrent}
          error={currentWrong ? t("account.current_wrong") : null}
        />
      ) : (
        <p className="small soft">{t("account.no_password")}</p>
      )}
      <TextField
        label={t("account.new")}
        description={t("account.new_like", { count: SHORTEST_PASSWORD })}
        type="password"
        autoComplete="new-password"
        ltr
        isRequired
        value={fresh}
        onChange={(value) => {
          saving.touch();
          setFresh(value);
        }}
        error={
          checked && short
            ? t("account.new_like", { count: SHORTEST_PASSWORD })
            : saving.fieldError("password.new")
        }
      />
      <div>
        <Button type="submit" variant="primary" isPending={saving.pending}>
          {t("settings.save")}
        </Button>
      </div>
    </form>
  );
}
