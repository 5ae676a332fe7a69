import { useEffect, useRef, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { memberApi } from "../../api";
import { ProblemPage } from "../../app/Problem";
import { Shell } from "../../app/Shell";
import { useT } from "../../i18n";
import { ButtonLink, Spinner } from "../../ui";

/** The address in a sign-in mail: hands in the token once and goes on. */
export default function LinkPage() {
  const t = useT();
  const navigate = useNavigate();
  const { token = "" } = useParams();
  const [error, setError] = useState<unknown>(null);
  // A token works once; React's strict mode runs effects twice in development.
  const handedIn = useRef("");

  useEffect(() => {
    if (handedIn.current === token) return;
    handedIn.current = token;
    memberApi
      .redeemMagicLink(token)
      .then(() => navigate("/dashboard", { replace: true }))
      .catch(setError);
  }, [token, navigate]);

  if (error) {
    return (
      <ProblemPage
        error={error}
        action={
          <ButtonLink to="/sign-in" variant="primary">
            {t("auth.new_link")}
          </ButtonLink>
        }
      />
    );
  }
  return (
    <Shell title={t("auth.signing_in")} width="narrow">
      <div className="row" role="status">
        <Spinner />
        <p>{t("auth.signing_in")}</p>
      </div>
    </Shell>
  );
}
