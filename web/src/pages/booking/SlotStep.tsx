import { endOfMonth, parseDate, startOfMonth, today, type CalendarDate } from "@internationalized/date";
import { Globe } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import { useLocation, useNavigate, useParams, useSearchParams } from "react-router";
import {
  ApiError,
  fullName,
  type Organisation,
  publicApi,
  type Service,
  type Slot,
  useData,
} from "../../api";
import { ProblemBanner, ProblemPage } from "../../app/Problem";
import { useLocale, useT } from "../../i18n";
import { clockOf, deviceZone, useHourCycle, useTimeFormat, zoneChoices, type HourCycle } from "../../time";
import { Avatar, Banner, Button, Loading, Segments, Select } from "../../ui";
import { useBooking } from "./BookingLayout";
import {
  ANYONE,
  byPartOfDay,
  firstFreeDate,
  pickDuration,
  providersOf,
  slotsByDate,
  WINDOW_DAYS,
} from "./model";
import { MonthGrid } from "./MonthGrid";
import { ServiceFacts } from "./ServiceFacts";
import { StepHead } from "./Steps";

export default function SlotStep() {
  const { organisation } = useBooking();
  const { service: slug } = useParams();
  const service = organisation.services.find((entry) => entry.slug === slug && entry.active);
  if (!service) return <ProblemPage error={new ApiError("not_found", 404)} />;
  return <Slots key={service.id} organisation={organisation} service={service} />;
}

/** How far ahead the calendar turns; the service's own limit shows as days without times. */
const MONTHS_AHEAD = 12;

function Slots({ organisation, service }: { organisation: Organisation; service: Service }) {
  const t = useT();
  const time = useTimeFormat();
  const navigate = useNavigate();
  const location = useLocation();
  const { zone, setZone } = useBooking();
  const [search, setSearch] = useSearchParams();
  const providers = providersOf(organisation, service);
  const duration = pickDuration(service, search.get("duration"));
  const wanted = providers.find((provider) => provider.slug === search.get("with"));
  const provider = wanted ?? (providers.length === 1 ? providers[0] : undefined);
  const refused = location.state as { taken?: string; gone?: string } | null;

  const first = today(zone);
  const [turnedTo, setMonth] = useState<CalendarDate | null>(null);
  const [picked, setPicked] = useState<CalendarDate | null>(null);
  const timesRef = useRef<HTMLElement>(null);

  // One answer covers two months, so the usual turn of the page asks nothing.
  const firstText = first.toString();
  const turned = turnedTo ?? first;
  const from = endOfMonth(turned).compare(first.add({ days: WINDOW_DAYS - 1 })) <= 0
    ? firstText
    : startOfMonth(turned).toString();
  const load = useCallback(
    (signal: AbortSignal) =>
      publicApi.slots(
        service.id,
        {
          from,
          to: parseDate(from).add({ days: WINDOW_DAYS - 1 }).toString(),
          time_zone: zone,
          duration_minutes: duration,
          provider_id: provider?.id,
        },
        signal,
      ),
    [service.id, from, zone, duration, provider?.id],
  );
  const { data, error, loading, reload } = useData(load);
  const free = useMemo(() => (data ? slotsByDate(data) : undefined), [data]);
  // The first free day is shown at once; a day that was picked stays while it has times.
  const pickedText = picked?.toString() ?? "";
  const shownDate = free
    ? (firstFreeDate(free, pickedText) ?? firstFreeDate(free))
    : pickedText || undefined;
  const chosen = shownDate ? parseDate(shownDate) : null;
  const month = turnedTo ?? chosen ?? first;

  const change = (name: string, value: string | null) => {
    setSearch(
      (old) => {
        if (value === null) old.delete(name);
        else old.set(name, value);
        return old;
      },
      { replace: true, state: null },
    );
  };
  const choose = (slot: Slot) => {
    const query = new URLSearchParams(search);
    query.set("at", slot.start);
    query.set("by", slot.provider_id);
    query.set("duration", String(duration));
    // The address kept in history leads back to the same person and duration.
    void navigate(`details?${query.toString()}`);
  };
  const pickDay = (date: CalendarDate) => {
    setPicked(date);
    setMonth(date);
    // On a phone the times stand below the month and would go unnoticed.
    if (window.matchMedia("(max-width: 56rem)").matches) {
      requestAnimationFrame(() => timesRef.current?.scrollIntoView({ block: "start", behavior: "smooth" }));
    }
  };

  return (
    <div className="stack">
      <StepHead
        step="time"
        title={t("booking.choose_time")}
        back={`/o/${encodeURIComponent(organisation.slug)}`}
      />
      {refused?.taken && (
        <Banner tone="warn" role="alert" title={t("booking.taken")}>
          {t("booking.taken_do", { time: time.dateTime(refused.taken, zone) })}
        </Banner>
      )}
      {refused?.gone && (
        <Banner tone="warn" role="alert" title={t("booking.gone")}>
          {t("booking.gone_do", { time: time.dateTime(refused.gone, zone) })}
        </Banner>
      )}
      {error && <ProblemBanner error={error} onRetry={reload} />}
      <div className="slot-layout">
        <aside className="slot-summary" aria-label={t("booking.summary")}>
          {provider && (
            <div className="row">
              <Avatar name={provider.name} src={provider.photo_url} size={56} />
              <div className="grow">
                <div className="strong">{fullName(provider)}</div>
                {provider.bio && <div className="small soft slot-bio">{provider.bio}</div>}
              </div>
            </div>
          )}
          <div className="stack-tight">
            <h2 className="h3">{service.name}</h2>
            {service.description && (
              <p className="small soft slot-description">
                <bdi>{service.description}</bdi>
              </p>
            )}
          </div>
          <ServiceFacts service={service} duration={duration} />
          {providers.length > 1 && (
            <Select
              label={t("booking.with")}
              value={wanted?.slug ?? ANYONE}
              options={[
                { id: ANYONE, label: t("booking.anyone") },
                ...providers.map((entry) => ({
                  id: entry.slug,
                  label: fullName(entry),
                  detail: entry.bio ?? undefined,
                })),
              ]}
              onChange={(id) => change("with", id === ANYONE ? null : id)}
            />
          )}
          {service.durations_minutes.length > 1 && (
            <Segments
              label={t("booking.duration")}
              value={String(duration)}
              options={service.durations_minutes.map((minutes) => ({
                id: String(minutes),
                label: time.duration(minutes),
              }))}
              onChange={(id) => change("duration", id)}
            />
          )}
        </aside>
        <div className="slot-month">
          <MonthGrid
            label={t("booking.choose_day")}
            value={chosen}
            onChange={pickDay}
            month={month}
            onMonth={setMonth}
            min={first}
            max={first.add({ months: MONTHS_AHEAD })}
            freeOn={(date) => free && (free.get(date.toString())?.length ?? 0)}
          />
          <ZonePicker zone={zone} setZone={setZone} organisationZone={organisation.time_zone} />
        </div>
        <section className="slot-times" ref={timesRef} aria-live="polite" aria-busy={loading}>
          <Times
            slots={chosen && free ? (free.get(chosen.toString()) ?? []) : undefined}
            nothing={free !== undefined && !firstFreeDate(free)}
            date={chosen}
            zone={zone}
            showProvider={!provider}
            organisation={organisation}
            onChoose={choose}
          />
        </section>
      </div>
    </div>
  );
}

interface TimesProps {
  readonly slots: readonly Slot[] | undefined;
  /** No free time in all that was asked for. */
  readonly nothing: boolean;
  readonly date: CalendarDate | null;
  readonly zone: string;
  readonly showProvider: boolean;
  readonly organisation: Organisation;
  readonly onChoose: (slot: Slot) => void;
}

function Times({ slots, nothing, date, zone, showProvider, organisation, onChoose }: TimesProps) {
  const t = useT();
  const time = useTimeFormat();
  if (nothing) {
    return (
      <div className="stack-tight">
        <h2 className="h3">{t("booking.nothing_free")}</h2>
        <p className="small soft">{t("booking.nothing_free_do", { name: organisation.name })}</p>
      </div>
    );
  }
  if (!slots || !date) return <Loading label={t("booking.loading_times")} lines={6} />;
  const names = new Map(organisation.providers.map((provider) => [provider.id, fullName(provider)]));
  return (
    <div className="stack">
      <h2 className="h3">{time.date(`${date.toString()}T12:00:00Z`, "UTC")}</h2>
      {byPartOfDay(slots, zone).map(({ part, slots: group }) => (
        <div key={part} className="stack-tight" role="group" aria-label={t(`booking.${part}`)}>
          <div className="caption" aria-hidden>
            {t(`booking.${part}`)}
          </div>
          <ul className="times">
            {group.map((slot) => (
              <li key={slot.start}>
                <Button
                  wide
                  className="time tabular"
                  onPress={() => onChoose(slot)}
                  aria-label={
                    showProvider
                      ? `${time.time(slot.start, zone)}, ${names.get(slot.provider_id) ?? ""}`
                      : undefined
                  }
                >
                  {time.time(slot.start, zone)}
                </Button>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  );
}

interface ZonePickerProps {
  readonly zone: string;
  readonly setZone: (zone: string) => void;
  readonly organisationZone: string;
}

function ZonePicker({ zone, setZone, organisationZone }: ZonePickerProps) {
  const t = useT();
  const { locale } = useLocale();
  const [hours, setHours] = useHourCycle();
  const [openedAt] = useState(() => new Date());
  const choices = useMemo(
    () => zoneChoices([deviceZone(), organisationZone, zone], openedAt),
    [organisationZone, zone, openedAt],
  );

  return (
    <div className="zone">
      <Globe size={18} aria-hidden />
      <Select
        label={t("booking.zone")}
        hideLabel
        size="small"
        className="grow"
        search={t("booking.zone_search")}
        value={zone}
        options={choices}
        onChange={setZone}
      />
      <Segments
        label={t("prefs.clock")}
        hideLabel
        value={clockOf(locale, hours)}
        options={[
          { id: "h12", label: t("booking.h12") },
          { id: "h23", label: t("booking.h24") },
        ]}
        onChange={(id) => setHours(id as HourCycle)}
      />
    </div>
  );
}
