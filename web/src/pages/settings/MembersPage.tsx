import { CalendarClock, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { fullName, memberApi, type Role, useData } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { useMe } from "../../app/session";
import { useT } from "../../i18n";
import { cityOf, zoneChoices } from "../../time";
import { Avatar, Banner, Button, ButtonLink, Dialog, Loading, Select, TextField } from "../../ui";
import { useSaving } from "./useSaving";

const ROLES: readonly Exclude<Role, "client">[] = ["provider", "manager", "admin"];

export default function MembersPage() {
  const t = useT();
  const { data: members, error, reload } = useData(memberApi.members);
  const [adding, setAdding] = useState(false);
  const [invited, setInvited] = useState("");
  return (
    <div className="stack">
      <header className="row-between">
        <h1>{t("settings.members")}</h1>
        <Button icon={Plus} variant="primary" onPress={() => setAdding(true)}>
          {t("member.add")}
        </Button>
      </header>
      {invited !== "" && (
        <Banner tone="good" role="status" title={t("member.invited")}>
          {t("member.invited_do", { email: invited })}
        </Banner>
      )}
      {error && <ProblemBanner error={error} onRetry={reload} />}
      {!members && !error && <Loading label={t("ui.loading")} lines={4} />}
      {members && (
        <ul className="member-list">
          {members.map((member) => (
            <li key={member.id}>
              <Avatar name={member.name} size={44} />
              <div className="grow">
                <div className="strong">{fullName(member)}</div>
                <div className="small soft">
                  {[t(`role.${member.role}`), cityOf(member.time_zone)]
                    .filter(Boolean)
                    .join(" · ")}
                </div>
                <div className="small soft ltr">{member.email}</div>
              </div>
              <ButtonLink
                to={`/settings/availability?member=${member.id}`}
                size="small"
                icon={CalendarClock}
              >
                {t("settings.availability")}
              </ButtonLink>
            </li>
          ))}
        </ul>
      )}
      {adding && (
        <AddDialog
          onClose={() => setAdding(false)}
          onAdded={(email) => {
            setAdding(false);
            setInvited(email);
            reload();
          }}
        />
      )}
    </div>
  );
}

interface AddDialogProps {
  readonly onClose: () => void;
  readonly onAdded: (email: string) => void;
}

function AddDialog({ onClose, onAdded }: AddDialogProps) {
  const t = useT();
  const me = useMe();
  const saving = useSaving();
  const [checked, setChecked] = useState(false);
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [title, setTitle] = useState("");
  const [role, setRole] = useState<Role>("provider");
  const [zone, setZone] = useState(me.organisation.time_zone);
  const [at] = useState(() => new Date());
  const zones = useMemo(
    () => zoneChoices([me.organisation.time_zone], at),
    [me.organisation.time_zone, at],
  );
  const nameMissing = name.trim() === "";
  const emailWrong = !/^[^\s@]+@[^\s@]+$/.test(email.trim());
  const save = async () => {
    setChecked(true);
    if (nameMissing || emailWrong) return;
    const done = await saving.run(async () => {
      await memberApi.createMember({
        name: name.trim(),
        email: email.trim(),
        role,
        title: title.trim() || undefined,
        time_zone: zone,
      });
    });
    if (done) onAdded(email.trim());
  };
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("member.add")}
      actions={
        <>
          <Button onPress={onClose}>{t("ui.back")}</Button>
          <Button variant="primary" isPending={saving.pending} onPress={() => void save()}>
            {t("member.invite")}
          </Button>
        </>
      }
    >
      {saving.general && <ProblemBanner error={saving.error} />}
      <TextField
        label={t("booking.name")}
        isRequired
        maxLength={200}
        value={name}
        onChange={setName}
        error={checked && nameMissing ? t("booking.name_missing") : saving.fieldError("name")}
      />
      <TextField
        label={t("booking.email")}
        type="email"
        isRequired
        ltr
        maxLength={254}
        value={email}
        onChange={setEmail}
        error={checked && emailWrong ? t("booking.email_wrong") : saving.fieldError("email")}
      />
      <TextField
        label={t("member.title")}
        optional={t("ui.optional")}
        description={t("member.title_like")}
        maxLength={120}
        value={title}
        onChange={setTitle}
        error={saving.fieldError("title")}
      />
      <Select
        label={t("member.role")}
        value={role}
        options={ROLES.map((id) => ({ id, label: t(`role.${id}`), detail: t(`role.${id}_may`) }))}
        onChange={(id) => setRole(id as Role)}
      />
      <Select
        label={t("booking.zone")}
        search={t("booking.zone_search")}
        value={zone}
        options={zones}
        onChange={setZone}
      />
    </Dialog>
  );
}
