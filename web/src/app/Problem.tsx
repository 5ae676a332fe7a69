import { RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { isRouteErrorResponse, useRouteError } from "react-router";
import { ApiError } from "../api";
import { useT } from "../i18n";
import { Banner, Button, ButtonLink } from "../ui";
import { explain } from "./problems";
import { Shell } from "./Shell";

export interface ProblemProps {
  readonly error: unknown;
  readonly onRetry?: () => void;
  readonly action?: ReactNode;
}

function Code({ code }: { code: string }) {
  const t = useT();
  return (
    <p className="caption">
      {t("problem.code")} <code className="ltr">{code}</code>
    </p>
  );
}

/** Something on the page failed while the page itself stands. */
export function ProblemBanner({ error, onRetry, action }: ProblemProps) {
  const t = useT();
  const { title, advice, code } = explain(error, t);
  return (
    <Banner
      tone="danger"
      role="alert"
      title={title}
      actions={
        <>
          {onRetry && (
            <Button size="small" icon={RotateCw} onPress={onRetry}>
              {t("problem.retry")}
            </Button>
          )}
          {action}
        </>
      }
    >
      <p>{advice}</p>
      <Code code={code} />
    </Banner>
  );
}

/** The whole page could not be shown. */
export function ProblemPage({ error, onRetry, action }: ProblemProps) {
  const t = useT();
  const { title, advice, code } = explain(error, t);
  return (
    <Shell title={title} width="narrow">
      <div className="stack problem-page">
        <h1>{title}</h1>
        <p>{advice}</p>
        <div className="row">
          {action ??
            (onRetry && !(error instanceof ApiError && error.status === 404) ? (
              <Button variant="primary" icon={RotateCw} onPress={onRetry}>
                {t("problem.retry")}
              </Button>
            ) : null)}
          <ButtonLink to="/">{t("problem.home")}</ButtonLink>
        </div>
        <Code code={code} />
      </div>
    </Shell>
  );
}

/** No page of ours has this address. */
export function NotFoundPage() {
  return <ProblemPage error={new ApiError("not_found", 404)} />;
}

/** A page broke while drawing, or its file could not be loaded (a new version was installed). */
export function RouteProblem() {
  const error = useRouteError();
  const shown = isRouteErrorResponse(error) ? new ApiError(`http_${error.status}`, error.status) : error;
  return <ProblemPage error={shown} onRetry={() => window.location.reload()} />;
}
