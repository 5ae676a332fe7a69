import { ArrowLeft, Check } from "lucide-react";
import { useEffect, useRef, type ReactNode } from "react";
import { ButtonLink } from "../../ui";
import { useT } from "../../i18n";

const STEPS = ["service", "time", "details"] as const;
export type Step = (typeof STEPS)[number];

export interface StepHeadProps {
  readonly step: Step;
  readonly title: string;
  readonly children?: ReactNode;
  /** Address of the step before. */
  readonly back?: string;
}

/** Where the person is in the booking, and the way back. */
export function StepHead({ step, title, children, back }: StepHeadProps) {
  const t = useT();
  const heading = useRef<HTMLHeadingElement>(null);
  const position = STEPS.indexOf(step);

  // A new step is a new page: screen readers start at its heading.
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    // Not as the effect's value: newer browsers answer with a promise, which React would call.
    void window.scrollTo(0, 0);
  }, []);

  return (
    <header className="step-head">
      <ol className="steps" aria-label={t("booking.steps")}>
        {STEPS.map((name, index) => (
          <li
            key={name}
            className={`step${index < position ? " step-done" : ""}`}
            aria-current={index === position ? "step" : undefined}
          >
            <span className="step-mark" aria-hidden>
              {index < position ? <Check size={14} strokeWidth={3} /> : index + 1}
            </span>
            <span className="step-name">{t(`booking.step_${name}`)}</span>
          </li>
        ))}
      </ol>
      <div className="step-title">
        {back && (
          <ButtonLink to={back} variant="quiet" size="small" icon={ArrowLeft} directional>
            {t("ui.back")}
          </ButtonLink>
        )}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
      </div>
      {children}
    </header>
  );
}
