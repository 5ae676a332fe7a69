import { NavLink, Outlet } from "react-router";
import { MemberShell } from "../../app/MemberShell";
import { managesPractice, useMe } from "../../app/session";
import { useT } from "../../i18n";
import "./settings.css";

export default function SettingsLayout() {
  const t = useT();
  const me = useMe();
  const pages = [
    { to: "availability", label: t("settings.availability") },
    ...(managesPractice(me)
      ? [
          { to: "services", label: t("settings.services") },
          { to: "members", label: t("settings.members") },
        ]
      : []),
    { to: "account", label: t("nav.account") },
  ];
  return (
    <MemberShell title={t("nav.settings")}>
      <div className="settings">
        <nav aria-label={t("nav.settings")} className="settings-nav">
          {pages.map(({ to, label }) => (
            <NavLink key={to} to={to} className="settings-link">
              {label}
            </NavLink>
          ))}
        </nav>
        <div className="settings-main">
          <Outlet />
        </div>
      </div>
    </MemberShell>
  );
}
