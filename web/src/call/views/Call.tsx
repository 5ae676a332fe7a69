import { Clock } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useNow, useTimeFormat } from "../../time";
import { Button, ConfirmDialog, Dialog, Switch } from "../../ui";
import { useCallText } from "../call-messages";
import type { CallModel } from "../model/call-model";
import { callTime } from "../model/clock";
import type { Session } from "../session";
import { CallNotices } from "./CallNotices";
import { ControlBar } from "./ControlBar";
import { DeviceLists } from "./DeviceControls";
import { useStore, useWakeLock } from "./hooks";
import { SidePanel } from "./SidePanel";
import { Stage } from "./Stage";
import { useShortcuts } from "./useShortcuts";

type Open = "devices" | "help" | "end" | null;

export function Call({ session, call }: { session: Session; call: CallModel }) {
  const t = useCallText();
  const { join, host, devices, preferences } = session;
  const { view } = useStore(join.store);
  const { canHost, waiting, ending, error } = useStore(host.store);
  const { connection } = useStore(call.store);
  const [root, setRoot] = useState<HTMLElement | null>(null);
  const [open, setOpen] = useState<Open>(null);
  const [panelOpen, setPanelOpen] = useState(false);
  const [shortcuts, setShortcuts] = useState(preferences.value.shortcuts);
  useWakeLock(true);
  const showHelp = useCallback(() => setOpen("help"), []);
  useShortcuts(devices, shortcuts, showHelp);
  useHost(session);
  useOpenForWaiting(waiting.length, setPanelOpen);

  const isProvider = view?.role === "provider";
  const other = isProvider
    ? (view.appointment.client_name ?? "")
    : (view?.appointment.provider.name ?? "");
  const alone =
    isProvider && canHost
      ? waiting.length > 0
        ? t("call.alone_someone_waits")
        : t("call.alone_nobody_waits")
      : t("call.alone", { name: other === "" ? t("tile.guest") : other });
  const endForAll = async () => {
    if (await host.endForAll()) {
      setOpen(null);
      join.endedHere();
    }
  };
  return (
    <main
      ref={setRoot}
      className={`c-call${panelOpen ? " c-call-panel" : ""}`}
      data-connection={connection}
    >
      <h1 className="visually-hidden">{view?.appointment.service_name}</h1>
      <CallNotices session={session} call={call} />
      <Stage call={call} devices={devices} alone={alone} />
      {panelOpen && <SidePanel session={session} call={call} onClose={() => setPanelOpen(false)} />}
      <ControlBar
        session={session}
        call={call}
        root={root}
        timer={<CallTimer session={session} />}
        panelOpen={panelOpen}
        onPanel={setPanelOpen}
        onDevices={() => setOpen("devices")}
        onHelp={() => setOpen("help")}
        onEndForAll={() => setOpen("end")}
      />
      <Dialog
        isOpen={open === "devices"}
        onClose={() => setOpen(null)}
        title={t("control.devices")}
        actions={
          <Button variant="primary" onPress={() => setOpen(null)}>
            {t("action.done")}
          </Button>
        }
      >
        <DeviceLists devices={devices} />
      </Dialog>
      <Dialog isOpen={open === "help"} onClose={() => setOpen(null)} title={t("control.shortcuts")}>
        <ShortcutHelp
          enabled={shortcuts}
          onChange={(enabled) => {
            preferences.update({ shortcuts: enabled });
            setShortcuts(enabled);
          }}
        />
      </Dialog>
      <ConfirmDialog
        isOpen={open === "end"}
        onClose={() => setOpen(null)}
        title={t("end_for_all.title")}
        confirm={t("control.end_for_all")}
        onConfirm={() => void endForAll()}
        isPending={ending}
      >
        <p>{t("end_for_all.help")}</p>
        {error === "end_failed" && <p role="alert">{t("end_for_all.failed")}</p>}
        {error === "end_not_started" && <p role="alert">{t("end_for_all.not_started")}</p>}
      </ConfirmDialog>
    </main>
  );
}

/** Looks whether the provider is signed in, and listens to who waits. */
function useHost({ host, join }: Session): void {
  const { view } = join.store.get();
  const isProvider = view?.role === "provider";
  const number = view?.appointment.number ?? "";
  const start = view?.appointment.start ?? "";
  useEffect(() => {
    if (isProvider) void host.start(number, start);
  }, [host, isProvider, number, start]);
}

/** Someone new at the door is shown at once. */
function useOpenForWaiting(count: number, open: (isOpen: boolean) => void): void {
  const known = useRef(0);
  useEffect(() => {
    if (count > known.current) open(true);
    known.current = count;
  }, [count, open]);
}

function CallTimer({ session }: { session: Session }) {
  const t = useCallText();
  const format = useTimeFormat();
  const { join } = session;
  const { view, joinedMs } = useStore(join.store);
  const now = join.clock.now(useNow(1000));
  if (!view) return null;
  const endMs = Date.parse(view.appointment.end);
  const { elapsedS, leftS, state } = callTime(joinedMs ?? now, endMs, now);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <div className={`c-timer c-timer-${state}`} data-testid="timer" data-state={state}>
      <Clock size={16} aria-hidden />
      <span className="tabular" role="timer" aria-label={t("timer.elapsed")}>
        {format.countdown(elapsedS * 1000)}
      </span>
      <span className="c-timer-plan">
        {state === "overtime"
          ? t("timer.overtime", { time: format.countdown(-leftS * 1000) })
          : state === "ending_soon"
            ? t("timer.left", { time: format.countdown(leftS * 1000) })
            : t("timer.until", { time: format.time(endMs, zone) })}
      </span>
    </div>
  );
}

function ShortcutHelp({
  enabled,
  onChange,
}: {
  enabled: boolean;
  onChange: (enabled: boolean) => void;
}) {
  const t = useCallText();
  const rows = [
    ["M", t("shortcut.microphone")],
    ["V", t("shortcut.camera")],
    [t("shortcut.space"), t("shortcut.talk")],
    ["?", t("shortcut.help")],
  ];
  return (
    <div className="stack">
      <dl className="c-keys">
        {rows.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Switch isSelected={enabled} onChange={onChange}>
        {t("shortcut.enabled")}
      </Switch>
    </div>
  );
}
