import type { Translation } from "../catalogue";
import type en from "./en";

const es: Translation<typeof en> = {
  "ui.close": "Cerrar",
  "ui.back": "Atrás",
  "ui.loading": "Cargando…",
  "ui.skip": "Saltar al contenido",
  "prefs.language": "Idioma",
  "prefs.display": "Apariencia",
  "prefs.colours": "Colores",
  "prefs.system": "Como en este dispositivo",
  "prefs.light": "Claro",
  "prefs.dark": "Oscuro",
  "prefs.clock": "Reloj",
  "prefs.clock_auto": "Según el idioma",
  "prefs.clock_24": "24 horas",
  "prefs.clock_12": "12 horas",
};

export default es;
