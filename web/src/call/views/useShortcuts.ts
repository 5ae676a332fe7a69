import { useEffect } from "react";
import type { DeviceModel } from "../model/device-model";
import { focusPlace, shortcutFor } from "../model/shortcuts";

/** Keys while the call is on the screen and no dialog or menu is open. */
export function useShortcuts(devices: DeviceModel, enabled: boolean, onHelp: () => void): void {
  useEffect(() => {
    if (!enabled) return;
    let talking = false;
    const stopTalking = () => {
      if (!talking) return;
      talking = false;
      void devices.setOn("microphone", false, false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      const action = shortcutFor(
        {
          type: event.type === "keyup" ? "keyup" : "keydown",
          key: event.key,
          repeat: event.repeat,
          ctrlKey: event.ctrlKey,
          metaKey: event.metaKey,
          altKey: event.altKey,
        },
        focusPlace(event.target),
      );
      switch (action) {
        case "microphone":
        case "camera":
          event.preventDefault();
          void devices.toggle(action);
          return;
        case "talk_start":
          event.preventDefault();
          if (devices.store.get().microphone.status === "on") return;
          talking = true;
          void devices.setOn("microphone", true, false);
          return;
        case "talk_end":
          stopTalking();
          return;
        case "help":
          event.preventDefault();
          onHelp();
          return;
        case null:
      }
    };
    document.addEventListener("keydown", onKey);
    document.addEventListener("keyup", onKey);
    window.addEventListener("blur", stopTalking);
    return () => {
      stopTalking();
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("keyup", onKey);
      window.removeEventListener("blur", stopTalking);
    };
  }, [devices, enabled, onHelp]);
}
