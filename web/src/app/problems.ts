import { ApiError } from "../api";
import type { ShellKey, ShellTranslate } from "../i18n";

export interface Explained {
  readonly title: string;
  /** What to do next. */
  readonly advice: string;
  /** To read out to whoever helps. */
  readonly code: string;
}

/** Codes that have their own words; all others are explained by their status. */
const KNOWN: Readonly<Record<string, readonly [ShellKey, ShellKey]>> = {
  network: ["problem.network", "problem.network_do"],
  bad_answer: ["problem.bad_answer", "problem.bad_answer_do"],
  not_found: ["problem.not_found", "problem.not_found_do"],
  link_invalid: ["problem.link_invalid", "problem.link_invalid_do"],
  link_expired: ["problem.link_expired", "problem.link_expired_do"],
  slot_taken: ["problem.slot_taken", "problem.slot_taken_do"],
  credentials_wrong: ["problem.credentials_wrong", "problem.credentials_wrong_do"],
  too_many_attempts: ["problem.too_many", "problem.too_many_do"],
  not_signed_in: ["problem.signed_out", "problem.signed_out_do"],
  changed_meanwhile: ["problem.changed", "problem.changed_do"],
  already_in_use: ["problem.in_use", "problem.in_use_do"],
};

function byStatus(status: number): readonly [ShellKey, ShellKey] {
  if (status === 401) return ["problem.signed_out", "problem.signed_out_do"];
  if (status === 403) return ["problem.forbidden", "problem.forbidden_do"];
  if (status === 404) return ["problem.not_found", "problem.not_found_do"];
  if (status === 410) return ["problem.link_expired", "problem.link_expired_do"];
  if (status === 429) return ["problem.too_many", "problem.too_many_do"];
  if (status >= 500) return ["problem.server", "problem.server_do"];
  return ["problem.unexpected", "problem.unexpected_do"];
}

/** An error in the reader's language: what happened, what to do, and its code. */
export function explain(error: unknown, t: ShellTranslate): Explained {
  if (!(error instanceof ApiError)) {
    return { title: t("problem.unexpected"), advice: t("problem.unexpected_do"), code: "page" };
  }
  const known = KNOWN[error.code];
  const [title, advice] = known ?? byStatus(error.status);
  // A refusal of ours that has no words here: the server's sentence says more than ours could.
  const ownWords = !known && error.status >= 400 && error.status < 500 && error.detail !== "";
  return {
    title: t(title as "problem.unexpected"),
    advice: ownWords ? error.detail : t(advice as "problem.unexpected_do"),
    code: error.code,
  };
}
