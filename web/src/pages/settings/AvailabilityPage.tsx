import { Save } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import { memberApi, useData, type Availability, type Schedule } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { managesPractice, useMe } from "../../app/session";
import { useT } from "../../i18n";
import { deviceZone, zoneChoices } from "../../time";
import { Banner, Button, Loading, Segments, Select, Switch } from "../../ui";
import { EMPTY_SCHEDULE, isValid } from "./model";
import { Overrides } from "./Overrides";
import { useSaving } from "./useSaving";
import { WeekEditor } from "./WeekEditor";

export default function AvailabilityPage() {
  const t = useT();
  const me = useMe();
  const [search, setSearch] = useSearchParams();
  const memberId = (managesPractice(me) && search.get("member")) || me.member.id;
  const load = useCallback(
    (signal: AbortSignal) => memberApi.availability(memberId, signal),
    [memberId],
  );
  const { data, error, reload } = useData(load);
  return (
    <div className="stack-wide">
      <header className="stack-tight">
        <h1>{t("settings.availability")}</h1>
        <p className="soft">{t("hours.what")}</p>
      </header>
      {managesPractice(me) && (
        <WhosePicker value={memberId} onChange={(member) => setSearch({ member })} />
      )}
      {error && !data && <ProblemBanner error={error} onRetry={reload} />}
      {!data && !error && <Loading label={t("ui.loading")} lines={7} />}
      {data && <Editor key={memberId} memberId={memberId} saved={data} />}
    </div>
  );
}

function WhosePicker({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const t = useT();
  const me = useMe();
  const { data: members } = useData(memberApi.members);
  const options = (members ?? [me.member]).map(({ id, name, title }) => ({
    id,
    label: name,
    detail: title ?? undefined,
  }));
  return (
    <Select
      className="whose"
      label={t("hours.whose")}
      value={value}
      options={options}
      onChange={onChange}
    />
  );
}

function Editor({ memberId, saved }: { memberId: string; saved: Availability }) {
  const t = useT();
  const [draft, setDraft] = useState<Availability>(saved);
  const [shown, setShown] = useState(0);
  const [zoneAt] = useState(() => new Date());
  const saving = useSaving();
  const zones = useMemo(
    () => zoneChoices([saved.time_zone, deviceZone()], zoneAt),
    [saved.time_zone, zoneAt],
  );
  const schedules = draft.schedules.length > 0 ? draft.schedules : [EMPTY_SCHEDULE];
  const schedule = schedules[shown] ?? schedules[0] ?? EMPTY_SCHEDULE;

  const change = (part: Partial<Availability>) => {
    saving.touch();
    setDraft((old) => ({ ...old, ...part }));
  };
  const changeSchedule = (changed: Schedule) =>
    change({ schedules: schedules.map((entry) => (entry === schedule ? changed : entry)) });
  const save = () =>
    saving.run(async () => {
      const named = draft.schedules.map((entry) => ({
        ...entry,
        name: entry.name || t("hours.usual"),
      }));
      setDraft(await memberApi.saveAvailability(memberId, { ...draft, schedules: named }));
    });

  return (
    <div className="stack-wide">
      <section className="card stack">
        <div className="hours-head">
          <Select
            label={t("booking.zone")}
            search={t("booking.zone_search")}
            value={draft.time_zone}
            options={zones}
            onChange={(time_zone) => change({ time_zone })}
          />
          <Select
            label={t("hours.slot")}
            value={String(schedule.slot_minutes)}
            options={slotChoices(schedule.slot_minutes).map((minutes) => ({
              id: String(minutes),
              label: t("hours.minutes", { count: minutes }),
            }))}
            onChange={(id) => changeSchedule({ ...schedule, slot_minutes: Number(id) })}
          />
        </div>
        {schedules.length > 1 && (
          <div className="row-between">
            <Segments
              label={t("hours.schedule")}
              value={String(shown)}
              options={schedules.map(({ name }, index) => ({
                id: String(index),
                label: name || t("hours.usual"),
              }))}
              onChange={(id) => setShown(Number(id))}
            />
            <Switch
              isSelected={schedule.active}
              onChange={(active) => changeSchedule({ ...schedule, active })}
            >
              {t("hours.active")}
            </Switch>
          </div>
        )}
        <WeekEditor schedule={schedule} onChange={changeSchedule} />
      </section>
      <Overrides
        overrides={draft.overrides}
        onChange={(overrides) => change({ overrides })}
        zone={draft.time_zone}
      />
      <div className="stack-tight save-bar">
        {saving.general && <ProblemBanner error={saving.error} />}
        {saving.saved && <Banner tone="good" role="status" title={t("settings.saved")} />}
        <div>
          <Button
            variant="primary"
            icon={Save}
            isPending={saving.pending}
            isDisabled={!isValid(draft)}
            onPress={() => void save()}
          >
            {t("settings.save")}
          </Button>
        </div>
      </div>
    </div>
  );
}

/** The usual lengths, and the stored one where it is another. */
function slotChoices(stored: number): number[] {
  return [...new Set([10, 15, 20, 30, 45, 60, stored])].sort((a, b) => a - b);
}
