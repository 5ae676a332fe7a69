/**
 * Messages of one part of the pages, typed by their English text.
 *
 * A part (the shell, the call) defines one catalogue: English is in its bundle, the other
 * languages are files loaded when wanted. Each file is typed `Translation<typeof en>`, so a key
 * that is missing does not pass the type check, and `i18n.test.ts` compares the placeholders.
 */

export const LANGUAGES = ["en", "de", "fr", "es", "ar"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Forms by the CLDR plural category of `{count}`. */
export type PluralForms = { other: string } & Partial<
  Record<"zero" | "one" | "two" | "few" | "many", string>
>;

/** A text with `{name}` placeholders, or its plural forms. */
export type Message = string | PluralForms;
export type Messages = Readonly<Record<string, Message>>;

/** What a translation of the English messages `En` must hold: each key, as a text or as forms. */
export type Translation<En extends Messages> = { readonly [K in keyof En]: Message };

type NamesIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

type NamesOf<M extends Message> = M extends string
  ? NamesIn<M>
  : M extends PluralForms
    ? "count" | NamesIn<M["other"]>
    : never;

type Values<M extends Message> = {
  readonly [Name in NamesOf<M>]: Name extends "count" ? number : string | number;
};

/** `t("key")`, or `t("key", { name })` where the English text has placeholders. */
export type Translate<En extends Messages> = <K extends keyof En & string>(
  key: K,
  ...values: NamesOf<En[K]> extends never ? [] : [Values<En[K]>]
) => string;

export interface Catalogue<En extends Messages> {
  readonly en: En;
  /** The messages of a language; the same promise each time, so that React can wait for it. */
  readonly load: (language: Language) => Promise<Translation<En>>;
}

type Loaders<En extends Messages> = {
  readonly [L in Exclude<Language, "en">]: () => Promise<{ default: Translation<En> }>;
};

/** Makes a catalogue out of the English messages and one loader (a dynamic import) a language. */
export function defineCatalogue<const En extends Messages>(
  en: En,
  loaders: Loaders<En>,
): Catalogue<En> {
  const loaded = new Map<Language, Promise<Translation<En>>>();
  loaded.set("en", settled(en));
  return {
    en,
    load(language) {
      const known = loaded.get(language);
      if (known || language === "en") return known ?? settled(en);
      const wanted = loaders[language]().then(
        (module) => module.default,
        () => {
          // A failed download must not stay: the next language switch tries again.
          loaded.delete(language);
          return en;
        },
      );
      loaded.set(language, wanted);
      return wanted;
    },
  };
}

/** A promise that `React.use` reads without suspending. */
function settled<T>(value: T): Promise<T> {
  return Object.assign(Promise.resolve(value), { status: "fulfilled" as const, value });
}

/** Fills a message's placeholders; numbers are written in the reader's digits. */
export function format(
  message: Message,
  values: Readonly<Record<string, string | number>>,
  locale: string,
): string {
  const text = typeof message === "string" ? message : pluralForm(message, values.count, locale);
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : value;
  });
}

function pluralForm(
  forms: PluralForms,
  count: string | number | undefined,
  locale: string,
): string {
  const category = new Intl.PluralRules(locale).select(Number(count ?? 0));
  return forms[category] ?? forms.other;
}
