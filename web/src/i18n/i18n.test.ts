import { describe, expect, it } from "vitest";
import { format, LANGUAGES, type Message, type Messages } from "./catalogue";
import { pickLanguage, pickLocale } from "./locale";

const files = import.meta.glob<{ default: Messages }>("../**/messages/*.ts", { eager: true });

function placeholders(message: Message): string[] {
  const text = typeof message === "string" ? message : message.other;
  return [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").sort();
}

const folders = [...new Set(Object.keys(files).map((path) => path.replace(/[^/]+$/, "")))];

describe.each(folders)("messages in %s", (folder) => {
  const en = files[`${folder}en.ts`]?.default ?? {};

  it("has English texts", () => {
    expect(Object.keys(en).length).toBeGreaterThan(0);
  });

  it.each(LANGUAGES)("are complete in %s", (language) => {
    const messages = files[`${folder}${language}.ts`]?.default;
    expect(messages, `${folder}${language}.ts`).toBeDefined();
    expect(Object.keys(messages ?? {}).sort()).toEqual(Object.keys(en).sort());
    for (const [key, message] of Object.entries(messages ?? {})) {
      expect(placeholders(message), `${language} ${key}`).toEqual(placeholders(en[key] ?? ""));
      const texts = typeof message === "string" ? [message] : Object.values(message);
      for (const text of texts) expect(text.trim(), `${language} ${key}`).not.toBe("");
    }
  });

  it.each(LANGUAGES)("have a form for every plural of %s", (language) => {
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    const messages = files[`${folder}${language}.ts`]?.default ?? {};
    for (const [key, message] of Object.entries(messages)) {
      if (typeof message === "string") {
        // A count in English keeps needing forms in the languages that inflect.
        expect(typeof en[key], `${language} ${key}`).toBe("string");
        continue;
      }
      // French and Spanish "many" is for millions, which no count here reaches.
      const wanted = categories.filter((name) => name !== "many" || language === "ar");
      expect(Object.keys(message), `${language} ${key}`).toEqual(expect.arrayContaining(wanted));
    }
  });
});

describe("format", () => {
  it("fills placeholders and leaves unknown ones standing", () => {
    expect(format("Hello {name}, {what}", { name: "Ana" }, "en")).toBe("Hello Ana, {what}");
  });

  it("picks the plural form of the language", () => {
    const forms = { one: "{count} Minute", other: "{count} Minuten" };
    expect(format(forms, { count: 1 }, "de")).toBe("1 Minute");
    expect(format(forms, { count: 1500 }, "de")).toBe("1.500 Minuten");
    expect(format({ two: "دقيقتان", other: "{count}" }, { count: 2 }, "ar")).toBe("دقيقتان");
  });
});

describe("pickLanguage", () => {
  it("prefers the stored choice, then the browser's order, then English", () => {
    expect(pickLanguage("fr", ["de-DE"])).toBe("fr");
    expect(pickLanguage("xx", ["pl", "es-MX", "de"])).toBe("es");
    expect(pickLanguage(null, ["pl"])).toBe("en");
  });

  it("keeps the reader's region where it fits the language", () => {
    expect(pickLocale("en", ["de", "en-GB"])).toBe("en-GB");
    expect(pickLocale("ar", ["en-GB"])).toBe("ar");
  });
});
