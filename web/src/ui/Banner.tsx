import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

export type Tone = "info" | "good" | "warn" | "danger";

const ICONS = { info: Info, good: CircleCheck, warn: TriangleAlert, danger: CircleAlert } as const;

export interface BannerProps {
  readonly tone?: Tone;
  readonly title?: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
  /** `alert` interrupts a screen reader, `status` waits; neither for what was there from the start. */
  readonly role?: "alert" | "status";
}

export function Banner({ tone = "info", title, children, actions, role }: BannerProps) {
  const Icon = ICONS[tone];
  return (
    <div className={`p-banner p-banner-${tone}`} role={role}>
      <Icon size={20} aria-hidden className="p-banner-icon" />
      <div className="p-banner-text">
        {title && <strong>{title}</strong>}
        {children && <div>{children}</div>}
      </div>
      {actions && <div className="p-banner-actions">{actions}</div>}
    </div>
  );
}
