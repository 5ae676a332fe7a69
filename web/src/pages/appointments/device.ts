import type { Device } from "../../api";
import type { ShellTranslate } from "../../i18n";

/** Proper names of what browsers and systems are called in the data. */
const NAMES: Readonly<Record<string, string>> = {
  android: "Android",
  chrome: "Chrome",
  chromeos: "ChromeOS",
  edge: "Edge",
  firefox: "Firefox",
  ios: "iOS",
  ipados: "iPadOS",
  linux: "Linux",
  macos: "macOS",
  opera: "Opera",
  safari: "Safari",
  samsung: "Samsung Internet",
  windows: "Windows",
};

/** `Chrome, Windows, computer`; what is not known is left out. */
export function deviceText(device: Device | null, t: ShellTranslate): string {
  const kind = device?.kind ?? "";
  const kinds: Readonly<Record<string, string>> = {
    desktop: t("device.desktop"),
    tablet: t("device.tablet"),
    phone: t("device.phone"),
    mobile: t("device.phone"),
  };
  const named = (text: string | null | undefined) => (text ? (NAMES[text.toLowerCase()] ?? text) : "");
  return [named(device?.browser), named(device?.os), kinds[kind] ?? kind]
    .filter((text) => text !== "" && text !== "other" && text !== "unknown")
    .join(", ");
}
