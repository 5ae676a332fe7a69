/** A code's letters and digits: `k7qm 4rtd` → `K7QM-4RTD`; more than eight stay as they are. */
export function tidyCode(text: string): string {
  const clean = text.toUpperCase().replace(/[^A-Z0-9]/g, "");
  return clean.length > 4 ? `${clean.slice(0, 4)}-${clean.slice(4)}` : clean;
}

/**
 * What to open for what was typed or pasted: the path after `/j/` of a link, or a code.
 * `null` if it can be neither.
 */
export function tokenFrom(text: string): string | null {
  const link = /\/j\/([^/?#\s]+)/.exec(text);
  if (link?.[1]) return decoded(link[1]);
  const code = tidyCode(text);
  return code.length === 9 ? code : null;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
