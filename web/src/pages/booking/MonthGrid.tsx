import type { CalendarDate, DateValue } from "@internationalized/date";
import { ChevronLeft, ChevronRight } from "lucide-react";
import {
  Button as AriaButton,
  Calendar,
  CalendarCell,
  CalendarGrid,
  CalendarGridBody,
  CalendarGridHeader,
  CalendarHeaderCell,
  Heading,
} from "react-aria-components";
import { useLocale, useT } from "../../i18n";

export interface MonthGridProps {
  readonly label: string;
  readonly value: CalendarDate | null;
  readonly onChange: (date: CalendarDate) => void;
  /** Any day of the month that is shown. */
  readonly month: CalendarDate;
  readonly onMonth: (month: CalendarDate) => void;
  readonly min: CalendarDate;
  readonly max: CalendarDate;
  /** How many free times a date has; `undefined` while that is not known. */
  readonly freeOn: (date: DateValue) => number | undefined;
}

/** A month with its free days; arrows move by day, Page Up and Down by month. */
export function MonthGrid(props: MonthGridProps) {
  const { label, value, onChange, month, onMonth, min, max, freeOn } = props;
  const t = useT();
  // Arabic short names are whole words, too wide for a phone.
  const { language } = useLocale();
  return (
    <Calendar
      aria-label={label}
      className="month"
      value={value}
      onChange={(date) => date && onChange(date)}
      focusedValue={month}
      onFocusChange={(date) => onMonth(date)}
      minValue={min}
      maxValue={max}
      isDateUnavailable={(date) => freeOn(date) === 0}
    >
      <header className="month-head">
        <AriaButton slot="previous" className="p-button p-button-quiet p-button-icon">
          <ChevronLeft size={20} className="flip" aria-hidden />
        </AriaButton>
        <Heading className="month-name" level={2} />
        <AriaButton slot="next" className="p-button p-button-quiet p-button-icon">
          <ChevronRight size={20} className="flip" aria-hidden />
        </AriaButton>
      </header>
      <CalendarGrid className="month-grid" weekdayStyle={language === "ar" ? "narrow" : "short"}>
        <CalendarGridHeader>
          {(day) => <CalendarHeaderCell className="month-weekday">{day}</CalendarHeaderCell>}
        </CalendarGridHeader>
        <CalendarGridBody>
          {(date) => (
            <CalendarCell
              date={date}
              className="month-day"
              render={(dom) => {
                const free = freeOn(date);
                const said =
                  free === undefined
                    ? ""
                    : `, ${free === 0 ? t("booking.day_none") : t("booking.day_free", { count: free })}`;
                const name = `${String((dom as { "aria-label"?: string })["aria-label"] ?? "")}${said}`;
                return (
                  <div
                    {...dom}
                    aria-label={name}
                    title={free === 0 ? t("booking.day_none") : undefined}
                  />
                );
              }}
            />
          )}
        </CalendarGridBody>
      </CalendarGrid>
    </Calendar>
  );
}
