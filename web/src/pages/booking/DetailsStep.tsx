import { CalendarDays, UserRound } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";
import { Navigate, useNavigate, useParams, useSearchParams } from "react-router";
import { type BookingRequest, fullName, isApiError, publicApi } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { useLocale, useT } from "../../i18n";
import { cityOf, sameClock, useTimeFormat } from "../../time";
import { Button, TextField } from "../../ui";
import { useBooking } from "./BookingLayout";
import { checkDetails, NOTE_LIMIT, pickDuration, randomKey, slotRefusal, type Details } from "./model";
import { ServiceFacts } from "./ServiceFacts";
import { StepHead } from "./Steps";

export default function DetailsStep() {
  const t = useT();
  const time = useTimeFormat();
  const navigate = useNavigate();
  const { locale } = useLocale();
  const { organisation, zone, details, setDetails } = useBooking();
  const { service: slug = "" } = useParams();
  const [search] = useSearchParams();
  const [checked, setChecked] = useState(false);
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const form = useRef<HTMLFormElement>(null);
  // The same key for the same request, so that a repeated press cannot book twice.
  const sent = useRef({ body: "", key: "" });

  const service = organisation.services.find((entry) => entry.slug === slug);
  const provider = organisation.providers.find((entry) => entry.id === search.get("by"));
  const start = search.get("at") ?? "";
  const slotsPath = () => {
    const query = new URLSearchParams(search);
    query.delete("at");
    query.delete("by");
    const text = query.toString();
    return `/o/${encodeURIComponent(organisation.slug)}/${encodeURIComponent(slug)}${text && `?${text}`}`;
  };
  if (!service || !provider || Number.isNaN(Date.parse(start))) {
    return <Navigate to={slotsPath()} replace />;
  }
  const duration = pickDuration(service, search.get("duration"));
  const end = Date.parse(start) + duration * 60_000;
  const problems = checked ? checkDetails(details) : {};
  const serverSays = (field: keyof Details) =>
    isApiError(error)
      ? error.fields.find((entry) => entry.field.split(".").at(-1) === field)?.detail
      : undefined;
  const errorOf = (field: keyof Details) => {
    const problem = problems[field];
    return problem ? t(`booking.${problem}`) : serverSays(field);
  };
  const field = (name: keyof Details) => ({
    value: details[name],
    onChange: (value: string) => setDetails({ ...details, [name]: value }),
    error: errorOf(name),
  });

  const book = async () => {
    const request: BookingRequest = {
      service_id: service.id,
      provider_id: provider.id,
      start,
      duration_minutes: duration,
      time_zone: zone,
      client: {
        name: details.name.trim(),
        email: details.email.trim(),
        phone: details.phone.trim() || undefined,
      },
      note: details.note.trim() || undefined,
      locale,
    };
    const body = JSON.stringify(request);
    if (sent.current.body !== body) sent.current = { body, key: randomKey() };
    setSending(true);
    setError(null);
    try {
      const booked = await publicApi.book(request, sent.current.key);
      void navigate(`/a/${encodeURIComponent(booked.manage_token)}`, {
        replace: true,
        state: { booked: true },
      });
    } catch (problem) {
      setSending(false);
      const refusal = slotRefusal(problem);
      if (refusal) {
        void navigate(slotsPath(), { replace: true, state: { [refusal]: start } });
      } else {
        setError(problem);
      }
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    const first = Object.keys(checkDetails(details))[0];
    if (first) {
      form.current?.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
      return;
    }
    void book();
  };
  // What no field of this form shows has to be said above it.
  const hasFieldErrors =
    isApiError(error) &&
    error.fields.length > 0 &&
    error.fields.every(({ field }) => (field.split(".").at(-1) ?? "") in details);

  return (
    <div className="stack">
      <StepHead step="details" title={t("booking.your_details")} back={slotsPath()} />
      <div className="details-layout">
        <aside className="card stack details-summary" aria-label={t("booking.summary")}>
          <h2 className="h3">{service.name}</h2>
          <ul className="facts">
            <li>
              <CalendarDays size={18} aria-hidden />
              <span>
                <strong>{time.date(start, zone)}</strong>
                <br />
                <span className="tabular">{time.timeRange(start, end, zone)}</span>{" "}
                <span className="soft">{time.zoneName(zone, start)}</span>
                {!sameClock(zone, provider.time_zone, new Date(start)) && (
                  <span className="small soft other-zone">
                    {t("time.at_place", {
                      time: time.dateTime(start, provider.time_zone),
                      place: cityOf(provider.time_zone),
                    })}
                  </span>
                )}
              </span>
            </li>
            <li>
              <UserRound size={18} aria-hidden />
              <span>
                {fullName(provider)}
              </span>
            </li>
          </ul>
          <ServiceFacts service={service} duration={duration} />
        </aside>
        <form ref={form} className="stack details-form" onSubmit={submit} noValidate>
          {error !== null && !hasFieldErrors && <ProblemBanner error={error} />}
          <TextField
            label={t("booking.name")}
            name="name"
            autoComplete="name"
            maxLength={120}
            isRequired
            {...field("name")}
          />
          <TextField
            label={t("booking.email")}
            name="email"
            type="email"
            inputMode="email"
            autoComplete="email"
            maxLength={254}
            isRequired
            ltr
            description={t("booking.email_why")}
            {...field("email")}
          />
          <TextField
            label={t("booking.phone")}
            optional={t("ui.optional")}
            name="phone"
            type="tel"
            autoComplete="tel"
            maxLength={32}
            ltr
            {...field("phone")}
          />
          <TextField
            label={t("booking.note")}
            optional={t("ui.optional")}
            name="note"
            rows={3}
            maxLength={NOTE_LIMIT}
            description={t("booking.note_why", { name: fullName(provider) })}
            {...field("note")}
          />
          <div className="stack-tight">
            <Button type="submit" variant="primary" size="large" wide isPending={sending}>
              {t("booking.book")}
            </Button>
            <p className="caption center">
              {service.price ? t("booking.pay_later") : t("booking.no_account")}
            </p>
          </div>
        </form>
      </div>
    </div>
  );
}
