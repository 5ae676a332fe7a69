import { CalendarPlus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { DateOverride, Interval, OverrideKind } from "../../api";
import { useT } from "../../i18n";
import { dateIn, useTimeFormat } from "../../time";
import { Button, Dialog, IconButton, Segments, TextField } from "../../ui";
import { DateField } from "../../ui/DateTime";
import { checkIntervals, nextInterval, withOverride } from "./model";
import { Intervals } from "./WeekEditor";

export interface OverridesProps {
  readonly overrides: readonly DateOverride[];
  readonly onChange: (overrides: DateOverride[]) => void;
  readonly zone: string;
}

/** Single dates that differ from the usual week. */
export function Overrides({ overrides, onChange, zone }: OverridesProps) {
  const t = useT();
  const time = useTimeFormat();
  const [adding, setAdding] = useState(false);
  const today = dateIn(Date.now(), zone);
  const coming = overrides.filter((entry) => entry.date >= today);
  const written = ({ start, end }: Interval) =>
    `${time.time(`1970-01-01T${start}:00Z`, "UTC")} – ${time.time(`1970-01-01T${end}:00Z`, "UTC")}`;
  const kinds: Record<OverrideKind, string> = {
    blocked: t("hours.blocked"),
    holiday: t("hours.holiday"),
    custom: t("hours.custom"),
  };
  return (
    <section className="card stack">
      <div className="row-between">
        <div className="stack-tight">
          <h2 className="h3">{t("hours.dates")}</h2>
          <p className="small soft">{t("hours.dates_what")}</p>
        </div>
        <Button icon={CalendarPlus} size="small" onPress={() => setAdding(true)}>
          {t("hours.add_date")}
        </Button>
      </div>
      {coming.length > 0 && (
        <ul className="override-list">
          {coming.map((entry) => (
            <li key={entry.date}>
              <div className="grow">
                <div className="strong">{time.date(`${entry.date}T12:00:00Z`, "UTC")}</div>
                <div className="small soft">
                  {entry.kind === "custom"
                    ? entry.intervals.map(written).join(", ")
                    : kinds[entry.kind]}
                  {entry.note && ` · ${entry.note}`}
                </div>
              </div>
              <IconButton
                icon={Trash2}
                size="small"
                label={t("hours.remove")}
                onPress={() => onChange(overrides.filter(({ date }) => date !== entry.date))}
              />
            </li>
          ))}
        </ul>
      )}
      {adding && (
        <AddDialog
          today={today}
          kinds={kinds}
          onClose={() => setAdding(false)}
          onAdd={(entry) => {
            onChange(withOverride(overrides, entry));
            setAdding(false);
          }}
        />
      )}
    </section>
  );
}

interface AddDialogProps {
  readonly today: string;
  readonly kinds: Record<OverrideKind, string>;
  readonly onClose: () => void;
  readonly onAdd: (entry: DateOverride) => void;
}

function AddDialog({ today, kinds, onClose, onAdd }: AddDialogProps) {
  const t = useT();
  const [date, setDate] = useState<string | undefined>(undefined);
  const [kind, setKind] = useState<OverrideKind>("blocked");
  const [intervals, setIntervals] = useState<Interval[]>([nextInterval([])]);
  const [note, setNote] = useState("");
  const ready =
    date !== undefined &&
    date >= today &&
    (kind !== "custom" || (intervals.length > 0 && checkIntervals(intervals) === null));
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("hours.add_date")}
      actions={
        <Button
          variant="primary"
          isDisabled={!ready}
          onPress={() =>
            date &&
            onAdd({
              date,
              kind,
              intervals: kind === "custom" ? intervals : [],
              note: note.trim() || undefined,
            })
          }
        >
          {t("hours.add_date")}
        </Button>
      }
    >
      <DateField label={t("hours.date")} value={date} onChange={setDate} min={today} isRequired />
      <Segments
        label={t("hours.kind")}
        value={kind}
        options={(Object.keys(kinds) as OverrideKind[]).map((id) => ({ id, label: kinds[id] }))}
        onChange={(id) => setKind(id as OverrideKind)}
      />
      {kind === "custom" && (
        <div className="stack-tight">
          <Intervals name={t("hours.date")} intervals={intervals} onChange={setIntervals} />
          {intervals.length === 0 && (
            <Button size="small" onPress={() => setIntervals([nextInterval([])])}>
              {t("hours.add")}
            </Button>
          )}
        </div>
      )}
      <TextField
        label={t("hours.note")}
        optional={t("ui.optional")}
        maxLength={200}
        value={note}
        onChange={setNote}
      />
    </Dialog>
  );
}
