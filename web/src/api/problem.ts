/** One field that the server refused. */
export interface FieldProblem {
  readonly field: string;
  readonly code: string;
  readonly detail: string;
}

/**
 * A request that did not succeed: the server's RFC 9457 problem, or `network` when no answer came
 * and `bad_answer` when the answer was not ours (a captive portal, a proxy's error page).
 */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** Stable, such as `slot_taken`; pages choose their words by it. */
  readonly code: string;
  /** HTTP status, 0 when no answer came. */
  readonly status: number;
  /** A sentence for people, in the server's words; may be empty. */
  readonly detail: string;
  readonly fields: readonly FieldProblem[];

  constructor(code: string, status: number, detail = "", fields: readonly FieldProblem[] = []) {
    super(detail === "" ? code : `${code}: ${detail}`);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.fields = fields;
  }

  /** Trying the same thing again may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Whether `error` is an `ApiError`, of one of `codes` if any are given. */
export function isApiError(error: unknown, ...codes: string[]): error is ApiError {
  return error instanceof ApiError && (codes.length === 0 || codes.includes(error.code));
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Reads a problem document; whatever is missing or of a wrong type is left empty. */
export function problemFrom(status: number, body: unknown): ApiError {
  if (typeof body !== "object" || body === null) return new ApiError("bad_answer", status);
  const problem = body as Record<string, unknown>;
  const code = text(problem.code);
  const fields = (Array.isArray(problem.errors) ? (problem.errors as unknown[]) : [])
    .filter((entry): entry is Record<string, unknown> => typeof entry === "object" && entry !== null)
    .map((entry) => ({
      field: text(entry.field),
      code: text(entry.code),
      detail: text(entry.detail),
    }));
  const detail = text(problem.detail) || text(problem.title);
  return new ApiError(code === "" ? `http_${status}` : code, status, detail, fields);
}
