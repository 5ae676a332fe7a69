/** The zone this device is set to. */
export function deviceZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** Minutes that `zone` is ahead of UTC at `instant`. */
export function offsetMinutes(zone: string, instant: Date): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(instant);
  const part = (type: string) => Number(parts.find((entry) => entry.type === type)?.value);
  const wall = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return Math.round((wall - Math.floor(instant.getTime() / 1000) * 1000) / 60_000);
}

/** `GMT+1`, `GMT−3:30`, `GMT` */
export function offsetLabel(zone: string, instant: Date): string {
  const minutes = offsetMinutes(zone, instant);
  if (minutes === 0) return "GMT";
  const sign = minutes < 0 ? "−" : "+";
  const hours = Math.floor(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  return `GMT${sign}${hours}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
}

/** Names that browsers still list although the cities are called otherwise today. */
const RENAMED: Readonly<Record<string, string>> = {
  "Asia/Calcutta": "Kolkata",
  "Asia/Katmandu": "Kathmandu",
  "Asia/Rangoon": "Yangon",
  "Asia/Saigon": "Ho Chi Minh City",
  "Atlantic/Faeroe": "Faroe",
  "Europe/Kiev": "Kyiv",
};

/** `Europe/Berlin` → `Berlin`, `America/Argentina/Buenos_Aires` → `Buenos Aires` */
export function cityOf(zone: string): string {
  const renamed = RENAMED[zone];
  if (renamed) return renamed;
  return (zone.split("/").at(-1) ?? zone).replaceAll("_", " ");
}

/** Whether two zones show the same wall clock at `instant`. */
export function sameClock(one: string, other: string, instant: Date): boolean {
  return one === other || offsetMinutes(one, instant) === offsetMinutes(other, instant);
}

export interface ZoneChoice {
  readonly id: string;
  readonly label: string;
  readonly detail: string;
}

/** All zones for a picker, by offset and name; `first` zones stand on top. */
export function zoneChoices(first: readonly string[], instant: Date): ZoneChoice[] {
  const known = Intl.supportedValuesOf("timeZone");
  const rest = known
    .filter((zone) => !first.includes(zone))
    .map((zone) => ({ zone, offset: offsetMinutes(zone, instant) }))
    .sort((a, b) => a.offset - b.offset || cityOf(a.zone).localeCompare(cityOf(b.zone)));
  return [...new Set(first), ...rest.map((entry) => entry.zone)].map((zone) => ({
    id: zone,
    label: zone === "UTC" ? "UTC" : `${cityOf(zone)} (${offsetLabel(zone, instant)})`,
    detail: zone === "UTC" ? "GMT" : zone,
  }));
}
