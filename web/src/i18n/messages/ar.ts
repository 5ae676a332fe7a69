import type { Translation } from "../catalogue";
import type en from "./en";

const ar: Translation<typeof en> = {
  "ui.close": "إغلاق",
  "ui.back": "رجوع",
  "ui.loading": "جارٍ التحميل…",
  "ui.skip": "انتقل إلى المحتوى",
  "prefs.language": "اللغة",
  "prefs.display": "العرض",
  "prefs.colours": "الألوان",
  "prefs.system": "كما في هذا الجهاز",
  "prefs.light": "فاتح",
  "prefs.dark": "داكن",
  "prefs.clock": "الساعة",
  "prefs.clock_auto": "حسب اللغة",
  "prefs.clock_24": "24 ساعة",
  "prefs.clock_12": "12 ساعة",
};

export default ar;
