import { useCallback, useMemo, useState } from "react";
import { Outlet, useOutletContext, useParams } from "react-router";
import { publicApi, useData, type Organisation } from "../../api";
import { ProblemPage } from "../../app/Problem";
import { Shell } from "../../app/Shell";
import { useT } from "../../i18n";
import { deviceZone } from "../../time";
import { Loading } from "../../ui";
import { NO_DETAILS, type Details } from "./model";
import "./booking.css";

/** What the steps of one booking share; lives as long as the person stays within the steps. */
export interface Booking {
  readonly organisation: Organisation;
  readonly zone: string;
  readonly setZone: (zone: string) => void;
  readonly details: Details;
  readonly setDetails: (details: Details) => void;
}

export const useBooking = () => useOutletContext<Booking>();

export default function BookingLayout() {
  const t = useT();
  const { org = "" } = useParams();
  const load = useCallback((signal: AbortSignal) => publicApi.organisation(org, signal), [org]);
  const { data: organisation, error, reload } = useData(load);
  const [zone, setZone] = useState(deviceZone);
  const [details, setDetails] = useState(NO_DETAILS);
  const booking = useMemo(
    () => organisation && { organisation, zone, setZone, details, setDetails },
    [organisation, zone, details],
  );

  if (error && !organisation) return <ProblemPage error={error} onRetry={reload} />;
  return (
    <Shell
      title={t("booking.title")}
      brand={organisation?.name}
      brandTo={`/o/${encodeURIComponent(org)}`}
      width="wide"
    >
      {booking ? <Outlet context={booking} /> : <Loading label={t("ui.loading")} lines={5} />}
    </Shell>
  );
}
