import { useCallback, useState } from "react";

const STORED = "parley.bell";

function storedMuted(): boolean {
  try {
    return localStorage.getItem(STORED) === "muted";
  } catch {
    return false;
  }
}

/** Two soft tones, a fifth apart; made here so that no sound file is needed. */
export function chime(): void {
  // Browsers keep sound off until the person has touched the page; then this stays silent.
  const context = new AudioContext();
  const start = context.currentTime;
  for (const [index, hertz] of [659.25, 987.77].entries()) {
    const at = start + index * 0.18;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.9);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 1);
  }
  setTimeout(() => void context.close(), 2000);
}

export interface Bell {
  readonly muted: boolean;
  readonly setMuted: (muted: boolean) => void;
  /** `unsupported` where the browser has no notifications. */
  readonly notices: NotificationPermission | "unsupported";
  readonly askForNotices: () => void;
  readonly ring: (title: string, body: string) => void;
}

/** The sound and the desktop notice of an arrival. */
export function useBell(): Bell {
  const [muted, setMutedState] = useState(storedMuted);
  const [notices, setNotices] = useState<Bell["notices"]>(
    "Notification" in window ? Notification.permission : "unsupported",
  );
  const setMuted = useCallback((value: boolean) => {
    setMutedState(value);
    try {
      localStorage.setItem(STORED, value ? "muted" : "on");
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    // The sound when it is switched on shows how loud it is, and unlocks it.
    if (!value) chime();
  }, []);
  const askForNotices = useCallback(() => {
    void Notification.requestPermission().then(setNotices);
  }, []);
  const ring = useCallback(
    (title: string, body: string) => {
      if (!muted) chime();
      if (notices !== "granted" || document.visibilityState === "visible") return;
      try {
        const notice = new Notification(title, { body, tag: "parley-waiting" });
        notice.onclick = () => {
          window.focus();
          notice.close();
        };
      } catch {
        // Android allows notices from a service worker only.
      }
    },
    [muted, notices],
  );
  return { muted, setMuted, notices, askForNotices, ring };
}
