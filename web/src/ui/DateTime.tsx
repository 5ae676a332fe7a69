import { parseDate, parseTime, type DateValue, type Time } from "@internationalized/date";
import { CalendarDays, ChevronLeft, ChevronRight } from "lucide-react";
import {
  Button as AriaButton,
  Calendar,
  CalendarCell,
  CalendarGrid,
  DateInput,
  DatePicker,
  DateSegment,
  Dialog,
  Group,
  Heading,
  Label,
  Popover,
  TimeField as AriaTimeField,
} from "react-aria-components";
import { useLocale } from "../i18n";
import { clockOf, useHourCycle } from "../time";

export interface TimeFieldProps {
  /** The accessible name. */
  readonly label: string;
  /** `HH:MM`; empty or `24:00` count as not set and as midnight. */
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly isInvalid?: boolean;
}

/** A time of day, written in the reader's clock. */
export function TimeField({ label, value, onChange, isInvalid }: TimeFieldProps) {
  const { locale } = useLocale();
  const [hours] = useHourCycle();
  return (
    <AriaTimeField
      aria-label={label}
      value={toTime(value)}
      onChange={(time) => onChange(time ? time.toString().slice(0, 5) : "")}
      hourCycle={clockOf(locale, hours) === "h12" ? 12 : 24}
      granularity="minute"
      shouldForceLeadingZeros
      isInvalid={isInvalid}
      className="p-field"
    >
      <DateInput className="p-input p-segmented tabular">
        {(segment) => <DateSegment segment={segment} className="p-segment-part" />}
      </DateInput>
    </AriaTimeField>
  );
}

function toTime(value: string): Time | null {
  try {
    return parseTime(value === "24:00" ? "00:00" : value);
  } catch {
    return null;
  }
}

export interface DateFieldProps {
  readonly label: string;
  /** `YYYY-MM-DD` */
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
  readonly min?: string;
  readonly isRequired?: boolean;
}

/** A date, typed or picked from a month. */
export function DateField({ label, value, onChange, min, isRequired }: DateFieldProps) {
  return (
    <DatePicker<DateValue>
      value={toDate(value)}
      onChange={(date) => onChange(date?.toString().slice(0, 10))}
      minValue={toDate(min)}
      isRequired={isRequired}
      granularity="day"
      className="p-field"
    >
      <Label className="p-label">{label}</Label>
      <Group className="p-input p-picker">
        <DateInput className="p-segmented tabular">
          {(segment) => <DateSegment segment={segment} className="p-segment-part" />}
        </DateInput>
        <AriaButton className="p-picker-button">
          <CalendarDays size={18} aria-hidden />
        </AriaButton>
      </Group>
      <Popover className="p-popover">
        <Dialog className="p-popover-body">
          <Calendar className="month month-small">
            <header className="month-head">
              <AriaButton slot="previous" className="p-button p-button-quiet p-button-icon">
                <ChevronLeft size={20} className="flip" aria-hidden />
              </AriaButton>
              <Heading className="month-name" />
              <AriaButton slot="next" className="p-button p-button-quiet p-button-icon">
                <ChevronRight size={20} className="flip" aria-hidden />
              </AriaButton>
            </header>
            <CalendarGrid className="month-grid" weekdayStyle="short">
              {(date) => <CalendarCell date={date} className="month-day month-plain" />}
            </CalendarGrid>
          </Calendar>
        </Dialog>
      </Popover>
    </DatePicker>
  );
}

function toDate(value: string | undefined): DateValue | null {
  try {
    return value ? parseDate(value) : null;
  } catch {
    return null;
  }
}
