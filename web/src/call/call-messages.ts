import { defineCatalogue, useMessages, type Translate } from "../i18n";
import en from "./messages/en";

/** The texts of the call, loaded with it. */
export const call = defineCatalogue(en, {
  de: () => import("./messages/de"),
  fr: () => import("./messages/fr"),
  es: () => import("./messages/es"),
  ar: () => import("./messages/ar"),
});

export const useCallText = () => useMessages(call);
export type CallText = Translate<typeof call.en>;
export type CallKey = keyof typeof call.en;
