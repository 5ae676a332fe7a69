import {
  createContext,
  use,
  useCallback,
  useEffect,
  useMemo,
  useState,
  useTransition,
  type ReactNode,
} from "react";
import { I18nProvider } from "react-aria-components";
import {
  format,
  type Catalogue,
  type Language,
  type Messages,
  type Translate,
} from "./catalogue";
import { directionOf, pickLanguage, pickLocale, storedLanguage, storeLanguage } from "./locale";
import { shell } from "./shell";

export { defineCatalogue, LANGUAGES } from "./catalogue";
export type { Catalogue, Language, Messages, Translate, Translation } from "./catalogue";
export { LANGUAGE_NAMES } from "./locale";

interface LocaleState {
  readonly language: Language;
  /** BCP 47 tag for `Intl`. */
  readonly locale: string;
  readonly direction: "ltr" | "rtl";
  readonly setLanguage: (language: Language) => void;
}

const LocaleContext = createContext<LocaleState | null>(null);

export function LocaleProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState(() => pickLanguage(storedLanguage(), navigator.languages));
  const [, startTransition] = useTransition();
  const locale = pickLocale(language, navigator.languages);
  const direction = directionOf(language);

  // In a transition the page stays as it is until the new language's file is here.
  const setLanguage = useCallback((wanted: Language) => {
    storeLanguage(wanted);
    startTransition(() => choose(wanted));
  }, []);

  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dir = direction;
  }, [language, direction]);

  const state = useMemo(
    () => ({ language, locale, direction, setLanguage }),
    [language, locale, direction, setLanguage],
  );
  return (
    <LocaleContext value={state}>
      <I18nProvider locale={locale}>{children}</I18nProvider>
    </LocaleContext>
  );
}

export function useLocale(): LocaleState {
  const state = use(LocaleContext);
  if (!state) throw new Error("useLocale needs a LocaleProvider above it");
  return state;
}

/** The translator of a catalogue in the chosen language; suspends while its file loads. */
export function useMessages<En extends Messages>(catalogue: Catalogue<En>): Translate<En> {
  const { language, locale } = useLocale();
  const messages = use(catalogue.load(language));
  return useCallback<Translate<En>>(
    (key, ...values) => format(messages[key], values[0] ?? {}, locale),
    [messages, locale],
  );
}

/** The translator of the pages outside the call. */
export const useT = () => useMessages(shell);
export type ShellTranslate = Translate<typeof shell.en>;
export type ShellKey = keyof typeof shell.en;
