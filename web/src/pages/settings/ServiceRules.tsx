import type { BookingRules } from "../../api";
import { useLocale, useT } from "../../i18n";
import { useTimeFormat } from "../../time";
import { Select } from "../../ui";

/** The usual choices; a stored value that is none of them is offered too. */
const BUFFERS = [0, 5, 10, 15, 20, 30, 45, 60];
const NOTICES = [0, 30, 60, 120, 240, 720, 1440, 2880, 4320, 10_080];
const ADVANCES = [7, 14, 30, 60, 90, 180, 365];
const OPENINGS = [5, 10, 15, 30, 60];

const DAY_MINUTES = 1440;

export interface ServiceRulesProps {
  readonly rules: BookingRules;
  readonly onChange: (rules: BookingRules) => void;
}

export function ServiceRules({ rules, onChange }: ServiceRulesProps) {
  const t = useT();
  const time = useTimeFormat();
  const { locale } = useLocale();
  const inDays = (count: number) =>
    new Intl.NumberFormat(locale, { style: "unit", unit: "day", unitDisplay: "long" }).format(count);
  const inMinutes = (minutes: number) => {
    if (minutes === 0) return t("service.none_minutes");
    return minutes % DAY_MINUTES === 0 ? inDays(minutes / DAY_MINUTES) : time.duration(minutes);
  };
  const field = (
    key: "buffer_before" | "buffer_after" | "minimum_notice" | "maximum_advance_days" | "join_before",
    label: string,
    usual: readonly number[],
    written: (value: number) => string,
  ) => (
    <Select
      label={label}
      value={String(rules[key])}
      options={[...new Set([...usual, rules[key]])]
        .sort((a, b) => a - b)
        .map((value) => ({ id: String(value), label: written(value) }))}
      onChange={(id) => onChange({ ...rules, [key]: Number(id) })}
    />
  );
  return (
    <details className="service-rules">
      <summary>{t("service.rules")}</summary>
      <div className="form-pair">
        {field("buffer_before", t("service.buffer_before"), BUFFERS, inMinutes)}
        {field("buffer_after", t("service.buffer_after"), BUFFERS, inMinutes)}
        {field("minimum_notice", t("service.notice"), NOTICES, inMinutes)}
        {field("maximum_advance_days", t("service.advance"), ADVANCES, inDays)}
        {field("join_before", t("service.join_before"), OPENINGS, inMinutes)}
      </div>
    </details>
  );
}
