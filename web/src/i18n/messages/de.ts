import type { Translation } from "../catalogue";
import type en from "./en";

const de: Translation<typeof en> = {
  "ui.close": "Schließen",
  "ui.back": "Zurück",
  "ui.loading": "Wird geladen …",
  "ui.skip": "Zum Inhalt springen",
  "prefs.language": "Sprache",
  "prefs.display": "Anzeige",
  "prefs.colours": "Farben",
  "prefs.system": "Wie auf diesem Gerät",
  "prefs.light": "Hell",
  "prefs.dark": "Dunkel",
  "prefs.clock": "Uhr",
  "prefs.clock_auto": "Wie in der Sprache üblich",
  "prefs.clock_24": "24 Stunden",
  "prefs.clock_12": "12 Stunden",
};

export default de;
