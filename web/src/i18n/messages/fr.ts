import type { Translation } from "../catalogue";
import type en from "./en";

const fr: Translation<typeof en> = {
  "ui.close": "Fermer",
  "ui.back": "Retour",
  "ui.loading": "Chargement…",
  "ui.skip": "Aller au contenu",
  "prefs.language": "Langue",
  "prefs.display": "Affichage",
  "prefs.colours": "Couleurs",
  "prefs.system": "Comme sur cet appareil",
  "prefs.light": "Clair",
  "prefs.dark": "Sombre",
  "prefs.clock": "Horloge",
  "prefs.clock_auto": "Selon la langue",
  "prefs.clock_24": "24 heures",
  "prefs.clock_12": "12 heures",
};

export default fr;
