import { Plus, Trash2 } from "lucide-react";
import type { Interval, Schedule } from "../../api";
import { useLocale, useT } from "../../i18n";
import { IconButton, Switch } from "../../ui";
import { TimeField } from "../../ui/DateTime";
import {
  checkIntervals,
  MOST_INTERVALS_A_DAY,
  nextInterval,
  ofDay,
  WEEK,
  withDay,
} from "./model";

/** 4 January 1970 was a Sunday, which is day 0. */
export function weekdayName(day: number, locale: string): string {
  const date = new Date(Date.UTC(1970, 0, 4 + day));
  return new Intl.DateTimeFormat(locale, { weekday: "long", timeZone: "UTC" }).format(date);
}

export interface WeekEditorProps {
  readonly schedule: Schedule;
  readonly onChange: (schedule: Schedule) => void;
}

/** The usual week: each day off, or with one interval or several. */
export function WeekEditor({ schedule, onChange }: WeekEditorProps) {
  const { locale } = useLocale();
  const t = useT();
  return (
    <ul className="week">
      {WEEK.map((day) => {
        const name = weekdayName(day, locale);
        const intervals = ofDay(schedule, day);
        const set = (changed: readonly Interval[]) => onChange(withDay(schedule, day, changed));
        return (
          <li key={day} className="week-day">
            <Switch
              isSelected={intervals.length > 0}
              onChange={(on) => set(on ? [nextInterval([])] : [])}
            >
              <span className="week-name">{name}</span>
            </Switch>
            {intervals.length > 0 ? (
              <Intervals name={name} intervals={intervals} onChange={set} />
            ) : (
              <span className="soft week-off">{t("hours.off")}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

export interface IntervalsProps {
  /** Of the day, for screen readers. */
  readonly name: string;
  readonly intervals: readonly Interval[];
  readonly onChange: (intervals: Interval[]) => void;
}

export function Intervals({ name, intervals, onChange }: IntervalsProps) {
  const t = useT();
  const problem = checkIntervals(intervals);
  const change = (index: number, part: Partial<Interval>) =>
    onChange(intervals.map((entry, at) => (at === index ? { ...entry, ...part } : entry)));
  return (
    <div className="stack-tight">
      {intervals.map((interval, index) => (
        // The index is the identity here: intervals have no id, and their times change while typing.
        <div key={index} className="interval">
          <TimeField
            label={t("hours.from_name", { name })}
            value={interval.start}
            isInvalid={problem !== null}
            onChange={(start) => change(index, { start })}
          />
          <span aria-hidden>–</span>
          <TimeField
            label={t("hours.to_name", { name })}
            value={interval.end}
            isInvalid={problem !== null}
            // A day that ends at midnight ends at 24:00, not before it begins.
            onChange={(end) => change(index, { end: end === "00:00" ? "24:00" : end })}
          />
          <IconButton
            icon={Trash2}
            size="small"
            label={t("hours.remove")}
            onPress={() => onChange(intervals.filter((_, at) => at !== index))}
          />
          {index === intervals.length - 1 && intervals.length < MOST_INTERVALS_A_DAY && (
            <IconButton
              icon={Plus}
              size="small"
              label={t("hours.add")}
              onPress={() => onChange([...intervals, nextInterval(intervals)])}
            />
          )}
        </div>
      ))}
      {problem && (
        <p className="p-error" role="alert">
          {t(`hours.${problem}`)}
        </p>
      )}
    </div>
  );
}
