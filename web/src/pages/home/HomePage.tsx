import { ChevronRight, KeyRound, LogIn } from "lucide-react";
import { Link } from "react-router";
import { publicApi, useData } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { Shell } from "../../app/Shell";
import { useT } from "../../i18n";
import { ButtonLink, Loading } from "../../ui";
import "./home.css";

export default function HomePage() {
  const t = useT();
  const { data: organisations, error, reload } = useData(publicApi.organisations);
  const only = organisations?.length === 1 ? organisations[0] : undefined;
  return (
    <Shell title="" width="narrow">
      <div className="stack-wide home">
        <header className="stack-tight">
          <h1>{t("home.title")}</h1>
          <p className="soft">{t("home.what")}</p>
        </header>
        {error && <ProblemBanner error={error} onRetry={reload} />}
        {!organisations && !error && <Loading label={t("ui.loading")} lines={2} />}
        {only && (
          <section className="card stack">
            <h2>{only.name}</h2>
            <ButtonLink
              to={`/o/${encodeURIComponent(only.slug)}`}
              variant="primary"
              size="large"
              wide
            >
              {t("home.book")}
            </ButtonLink>
          </section>
        )}
        {organisations && organisations.length > 1 && (
          <section className="stack">
            <h2 className="h3">{t("home.where")}</h2>
            <ul className="stack-tight">
              {organisations.map(({ slug, name }) => (
                <li key={slug}>
                  <Link to={`/o/${encodeURIComponent(slug)}`} className="card home-place">
                    {name}
                    <ChevronRight size={20} aria-hidden className="flip" />
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        )}
        <nav className="home-more" aria-label={t("home.more")}>
          <ButtonLink to="/join" icon={KeyRound} wide>
            {t("home.have_code")}
          </ButtonLink>
          <ButtonLink to="/sign-in" icon={LogIn} wide>
            {t("home.sign_in")}
          </ButtonLink>
        </nav>
      </div>
    </Shell>
  );
}
