import type { Messages } from "../catalogue";

/** The source of all texts of the pages outside the call. */
const en = {
  "ui.close": "Close",
  "ui.back": "Back",
  "ui.loading": "Loading…",
  "ui.skip": "Skip to the content",
  "prefs.language": "Language",
  "prefs.display": "Display",
  "prefs.colours": "Colours",
  "prefs.system": "As on this device",
  "prefs.light": "Light",
  "prefs.dark": "Dark",
  "prefs.clock": "Clock",
  "prefs.clock_auto": "As usual in the language",
  "prefs.clock_24": "24 hours",
  "prefs.clock_12": "12 hours",
} as const satisfies Messages;

export default en;
