import { ChevronRight, X } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";
import {
  ApiError,
  type Appointment,
  type AppointmentState,
  fullName,
  memberApi,
  useData,
} from "../../api";
import { MemberShell } from "../../app/MemberShell";
import { ProblemBanner } from "../../app/Problem";
import { managesPractice, useMe } from "../../app/session";
import { useT } from "../../i18n";
import { deviceZone, useTimeFormat } from "../../time";
import { Button, Loading, Select } from "../../ui";
import { DateField } from "../../ui/DateTime";
import { filterFrom, PAGE_SIZE, STATES, toQuery, type ListFilter } from "./model";
import { StateBadge } from "./StateBadge";
import "./appointments.css";

export default function ListPage() {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const text = search.toString();
  const filter = useMemo(() => filterFrom(new URLSearchParams(text)), [text]);
  const change = (part: Partial<ListFilter>) => {
    setSearch(toQuery({ ...filter, ...part }), { replace: true });
  };
  return (
    <MemberShell title={t("nav.appointments")}>
      <div className="stack">
        <h1>{t("nav.appointments")}</h1>
        <Filters filter={filter} onChange={change} />
        {/* A new filter is a new list: pages loaded for the old one are dropped. */}
        <List key={text} filter={filter} onClear={() => setSearch({}, { replace: true })} />
      </div>
    </MemberShell>
  );
}

interface FiltersProps {
  readonly filter: ListFilter;
  readonly onChange: (part: Partial<ListFilter>) => void;
}

const ALL = "all";

function Filters({ filter, onChange }: FiltersProps) {
  const t = useT();
  const me = useMe();
  return (
    <div className="filters" role="search" aria-label={t("list.filter")}>
      <DateField label={t("list.from")} value={filter.from} onChange={(from) => onChange({ from })} />
      <DateField label={t("list.to")} value={filter.to} onChange={(to) => onChange({ to })} />
      <Select
        label={t("list.state")}
        value={filter.state ?? ALL}
        options={[
          { id: ALL, label: t("list.all") },
          ...STATES.map((id) => ({ id, label: t(`state.${id}`) })),
        ]}
        onChange={(id) => onChange({ state: id === ALL ? undefined : (id as AppointmentState) })}
      />
      {managesPractice(me) && <ProviderFilter filter={filter} onChange={onChange} />}
    </div>
  );
}

function ProviderFilter({ filter, onChange }: FiltersProps) {
  const t = useT();
  const me = useMe();
  const { data: members } = useData(memberApi.members);
  return (
    <Select
      label={me.organisation.labels.provider}
      value={filter.provider ?? ALL}
      options={[
        { id: ALL, label: t("list.all") },
        ...(members ?? []).map(({ id, name }) => ({ id, label: name })),
      ]}
      onChange={(id) => onChange({ provider: id === ALL ? undefined : id })}
    />
  );
}

function List({ filter, onClear }: { filter: ListFilter; onClear: () => void }) {
  const t = useT();
  const zone = deviceZone();
  const query = useMemo(
    () => ({
      from: filter.from && new Date(`${filter.from}T00:00:00`).toISOString(),
      // The last day counts whole.
      to: filter.to && new Date(new Date(`${filter.to}T00:00:00`).getTime() + 86_400_000).toISOString(),
      state: filter.state,
      provider_id: filter.provider,
      limit: PAGE_SIZE,
    }),
    [filter],
  );
  const load = useCallback((signal: AbortSignal) => memberApi.appointments(query, signal), [query]);
  const { data, error, reload } = useData(load);
  const [more, setMore] = useState<{ items: readonly Appointment[]; cursor: string | null } | null>(null);
  const [loadingMore, setLoadingMore] = useState(false);
  const [moreError, setMoreError] = useState<ApiError | null>(null);

  if (error && !data) return <ProblemBanner error={error} onRetry={reload} />;
  if (!data) return <Loading label={t("ui.loading")} lines={6} />;
  const items = [...data.items, ...(more?.items ?? [])];
  const cursor = more ? more.cursor : data.next_cursor;
  const loadMore = async () => {
    setLoadingMore(true);
    setMoreError(null);
    try {
      const page = await memberApi.appointments({ ...query, cursor: cursor ?? undefined });
      setMore({ items: [...(more?.items ?? []), ...page.items], cursor: page.next_cursor });
    } catch (problem) {
      setMoreError(problem instanceof ApiError ? problem : new ApiError("unexpected", 0));
    }
    setLoadingMore(false);
  };

  if (items.length === 0) {
    return (
      <div className="card empty-list">
        <p className="strong">{t("list.none")}</p>
        <p className="soft small">{t("list.none_do")}</p>
        <Button size="small" icon={X} onPress={onClear}>
          {t("list.clear")}
        </Button>
      </div>
    );
  }
  return (
    <div className="stack">
      <Table items={items} zone={zone} />
      {moreError && <ProblemBanner error={moreError} />}
      {cursor && (
        <Button onPress={() => void loadMore()} isPending={loadingMore}>
          {t("list.more")}
        </Button>
      )}
    </div>
  );
}

function Table({ items, zone }: { items: readonly Appointment[]; zone: string }) {
  const t = useT();
  const me = useMe();
  const time = useTimeFormat();
  return (
    <div className="table-frame">
      <table className="table table-stack list-table" role="table">
        <caption className="visually-hidden">{t("nav.appointments")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("appointment.when")}</th>
            <th scope="col">{me.organisation.labels.client}</th>
            <th scope="col">{t("appointment.what")}</th>
            <th scope="col">{me.organisation.labels.provider}</th>
            <th scope="col">{t("list.state")}</th>
            <th scope="col">
              <span className="visually-hidden">{t("list.open")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((appointment) => (
            <tr key={appointment.id} role="row">
              <td role="cell" className="tabular">
                {time.shortDate(appointment.start, zone)}
                <div className="small soft">
                  {time.timeRange(appointment.start, appointment.end, zone)}
                </div>
              </td>
              <td role="cell">
                <Link to={`/appointments/${appointment.id}`} className="table-main">
                  {appointment.client.name}
                </Link>
                <div className="caption ltr tabular">{appointment.number}</div>
              </td>
              <td role="cell">{appointment.service.name}</td>
              <td role="cell">{fullName(appointment.provider)}</td>
              <td role="cell">
                <StateBadge state={appointment.state} />
              </td>
              <td role="cell" className="table-go">
                <ChevronRight size={18} aria-hidden className="flip" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
