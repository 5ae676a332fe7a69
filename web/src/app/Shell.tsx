import { ChevronDown, Globe, Settings2 } from "lucide-react";
import { useEffect, type ReactNode } from "react";
import { Link } from "react-router";
import { LANGUAGES, LANGUAGE_NAMES, useLocale, useT, type Language } from "../i18n";
import { Button, IconButton, Menu } from "../ui";
import { useHourCycle, type HourCycle } from "../time";
import { useTheme, type Theme } from "./theme";

/** Language, colours and clock: at the end of each page's header, the call's included. */
export function Preferences({ compact = false }: { compact?: boolean }) {
  const t = useT();
  const { language, setLanguage } = useLocale();
  const [theme, setTheme] = useTheme();
  const [hours, setHours] = useHourCycle();
  return (
    <div className="row preferences">
      <Menu
        label={t("prefs.language")}
        trigger={
          compact ? (
            <IconButton icon={Globe} label={t("prefs.language")} size="small" />
          ) : (
            <Button icon={Globe} variant="quiet" size="small">
              <span className="visually-hidden">{t("prefs.language")}: </span>
              <span className="preferences-language">{LANGUAGE_NAMES[language]}</span>
              <ChevronDown size={16} aria-hidden />
            </Button>
          )
        }
        groups={[
          {
            selected: language,
            entries: LANGUAGES.map((id) => ({ id, label: LANGUAGE_NAMES[id] })),
          },
        ]}
        onAction={(id) => setLanguage(id as Language)}
      />
      <Menu
        label={t("prefs.display")}
        trigger={<IconButton icon={Settings2} label={t("prefs.display")} size="small" />}
        groups={[
          {
            title: t("prefs.colours"),
            selected: `theme:${theme}`,
            entries: [
              { id: "theme:system", label: t("prefs.system") },
              { id: "theme:light", label: t("prefs.light") },
              { id: "theme:dark", label: t("prefs.dark") },
            ],
          },
          {
            title: t("prefs.clock"),
            selected: `hours:${hours}`,
            entries: [
              { id: "hours:auto", label: t("prefs.clock_auto") },
              { id: "hours:h23", label: t("prefs.clock_24") },
              { id: "hours:h12", label: t("prefs.clock_12") },
            ],
          },
        ]}
        onAction={(id) => {
          const [what, value] = id.split(":");
          if (what === "theme") setTheme(value as Theme);
          else setHours(value as HourCycle);
        }}
      />
    </div>
  );
}

export interface ShellProps {
  /** Of the browser tab; ends in the product's name. */
  readonly title: string;
  readonly children: ReactNode;
  /** In place of the product's name: the organisation's. */
  readonly brand?: ReactNode;
  readonly brandTo?: string;
  /** Navigation of those signed in. */
  readonly nav?: ReactNode;
  /** `narrow` for one column of text or fields. */
  readonly width?: "narrow" | "normal" | "wide";
}

/** Header, main part and footer of a page outside the call. */
export function Shell(props: ShellProps) {
  const { title, children, brand, brandTo = "/", nav, width = "normal" } = props;
  const t = useT();
  useTitle(title);
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        {t("ui.skip")}
      </a>
      <header className="shell-head">
        <div className="shell-head-inner">
          <Link to={brandTo} className="brand">
            <Mark />
            <span className="brand-name">{brand ?? "Parley"}</span>
          </Link>
          {nav}
          <Preferences />
        </div>
      </header>
      <main id="main" tabIndex={-1} className={`page page-${width}`}>
        {children}
      </main>
    </div>
  );
}

/** Names the tab, so that history and screen readers tell pages apart. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "Parley" : `${title} · Parley`;
  }, [title]);
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden className="mark">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path
        d="M9 10.5A2.5 2.5 0 0 1 11.5 8h9a2.5 2.5 0 0 1 2.5 2.5v6a2.5 2.5 0 0 1-2.5 2.5H16l-4.5 4v-4A2.5 2.5 0 0 1 9 16.5z"
        fill="var(--on-accent)"
      />
    </svg>
  );
}

