import { defineCatalogue } from "./catalogue";
import en from "./messages/en";

/** Everything but the call, which keeps its own messages in `src/call/messages`. */
export const shell = defineCatalogue(en, {
  de: () => import("./messages/de"),
  fr: () => import("./messages/fr"),
  es: () => import("./messages/es"),
  ar: () => import("./messages/ar"),
});
