import type { Money } from "../api";

/** `€45.00`: minor units by the currency's own number of digits. */
export function formatMoney(money: Money, locale: string): string {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: money.currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(money.amount / 10 ** digits);
}

/** `45,00` or `45.00` as typed → minor units; `null` if it is no amount. */
export function parseAmount(text: string, currency: string): number | null {
  const clean = text.trim().replace(/\s/g, "").replace(",", ".");
  if (!/^\d{1,7}(\.\d+)?$/.test(clean)) return null;
  const digits =
    new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions()
      .maximumFractionDigits ?? 2;
  const minor = Number(clean) * 10 ** digits;
  return Math.abs(minor - Math.round(minor)) < 1e-6 ? Math.round(minor) : null;
}

/** Minor units → text for a field. */
export function amountText(money: Money): string {
  const digits =
    new Intl.NumberFormat("en", { style: "currency", currency: money.currency }).resolvedOptions()
      .maximumFractionDigits ?? 2;
  return (money.amount / 10 ** digits).toFixed(digits);
}
