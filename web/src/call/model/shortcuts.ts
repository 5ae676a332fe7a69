/** Keys of a call. Pure: says what a key press means; the view acts on it. */
export type ShortcutAction = "microphone" | "camera" | "talk_start" | "talk_end" | "help";

interface KeyPress {
  type: "keydown" | "keyup";
  key: string;
  repeat: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Where the focus is. Letters typed into a field are text; Space on a button presses the button. */
export type FocusPlace = "text" | "control" | "call";

export function shortcutFor(press: KeyPress, focus: FocusPlace): ShortcutAction | null {
  if (focus === "text" || press.ctrlKey || press.metaKey || press.altKey) return null;
  if (press.key === " ") {
    if (press.type === "keyup") return "talk_end";
    return focus === "control" || press.repeat ? null : "talk_start";
  }
  if (press.type !== "keydown" || press.repeat) return null;
  switch (press.key.toLowerCase()) {
    case "m":
      return "microphone";
    case "v":
      return "camera";
    case "?":
      return "help";
    default:
      return null;
  }
}

export function focusPlace(target: EventTarget | null): FocusPlace {
  if (!(target instanceof HTMLElement)) return "call";
  if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return "text";
  if (target.closest('[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]'))
    return "text";
  return target.closest(
    'button, a[href], [role="menuitem"], [role="menuitemradio"], [role="option"], [role="slider"], summary',
  )
    ? "control"
    : "call";
}
