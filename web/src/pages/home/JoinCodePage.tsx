import { useState, type FormEvent } from "react";
import { useNavigate } from "react-router";
import { Shell } from "../../app/Shell";
import { useT } from "../../i18n";
import { Button, TextField } from "../../ui";
import { tidyCode, tokenFrom } from "./code";

export default function JoinCodePage() {
  const t = useT();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const change = (value: string) => {
    setWrong(false);
    setText(value.includes("/") ? value : tidyCode(value).slice(0, 9));
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = tokenFrom(text);
    if (token) void navigate(`/j/${encodeURIComponent(token)}`);
    else setWrong(true);
  };
  return (
    <Shell title={t("join.title")} width="narrow">
      <div className="stack">
        <header className="stack-tight">
          <h1>{t("join.title")}</h1>
          <p className="soft">{t("join.what")}</p>
        </header>
        <form className="card stack" onSubmit={submit} noValidate>
          <TextField
            label={t("join.code")}
            description={t("join.code_like")}
            autoComplete="off"
            spellCheck="false"
            ltr
            className="code-field"
            value={text}
            onChange={change}
            error={wrong ? t("join.code_wrong") : null}
          />
          <Button type="submit" variant="primary" size="large" wide>
            {t("join.go")}
          </Button>
        </form>
      </div>
    </Shell>
  );
}
