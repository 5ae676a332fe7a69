import { CalendarClock, LayoutDashboard, LogOut, Menu as MenuIcon, Settings, UserRound } from "lucide-react";
import { NavLink, useNavigate } from "react-router";
import { useT } from "../i18n";
import { Avatar, Button, IconButton, Menu } from "../ui";
import { useMe, useSignOut } from "./session";
import { Shell, type ShellProps } from "./Shell";

/** A page of a signed-in member: navigation and the member's menu. */
export function MemberShell({ title, children, width = "wide" }: ShellProps) {
  const t = useT();
  const me = useMe();
  const pages = [
    { to: "/dashboard", label: t("nav.dashboard"), icon: LayoutDashboard },
    { to: "/appointments", label: t("nav.appointments"), icon: CalendarClock },
    { to: "/settings", label: t("nav.settings"), icon: Settings },
  ];
  return (
    <Shell
      title={title}
      width={width}
      brand={me.organisation.name}
      brandTo="/dashboard"
      nav={
        <>
          <nav aria-label={t("nav.main")} className="nav">
            {pages.map(({ to, label, icon: Icon }) => (
              <NavLink key={to} to={to} className="nav-link">
                <Icon size={18} aria-hidden />
                {label}
              </NavLink>
            ))}
          </nav>
          <MemberMenu pages={pages} />
        </>
      }
    >
      {children}
    </Shell>
  );
}

interface Page {
  readonly to: string;
  readonly label: string;
  readonly icon: typeof MenuIcon;
}

function MemberMenu({ pages }: { pages: readonly Page[] }) {
  const t = useT();
  const me = useMe();
  const navigate = useNavigate();
  const signOut = useSignOut();
  const act = (id: string) => {
    if (id === "sign-out") void signOut();
    else void navigate(id);
  };
  const account = [
    { id: "/settings/account", label: t("nav.account"), icon: UserRound },
    { id: "sign-out", label: t("nav.sign_out"), icon: LogOut },
  ];
  return (
    <>
      <div className="nav-wide">
        <Menu
          label={t("nav.account")}
          trigger={
            <Button variant="quiet" size="small" className="nav-member">
              <Avatar name={me.member.name} size={28} />
              <span className="nav-member-name">{me.member.name}</span>
            </Button>
          }
          groups={[{ entries: account }]}
          onAction={act}
        />
      </div>
      <div className="nav-narrow">
        <Menu
          label={t("nav.main")}
          trigger={<IconButton icon={MenuIcon} label={t("nav.main")} />}
          groups={[
            { entries: pages.map(({ to, label, icon }) => ({ id: to, label, icon })) },
            { title: me.member.name, entries: account },
          ]}
          onAction={act}
        />
      </div>
    </>
  );
}
