import { ApiError, problemFrom } from "./problem";

export const API_BASE = "/api/v1";

/** No answer of ours takes this long; after it the person is told and may try again. */
const TIMEOUT_MS = 20_000;

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Makes a repeated POST answer like the first one. */
  readonly idempotencyKey?: string;
}

const signedOutListeners = new Set<() => void>();

/** Calls back when an answer says that the session has ended. Returns a function that ends it. */
export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener);
  return () => void signedOutListeners.delete(listener);
}

/** `/api/v1` + path + query, leaving out what is empty. */
export function apiUrl(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") parameters.set(name, String(value));
  }
  const search = parameters.toString();
  return API_BASE + path + (search === "" ? "" : `?${search}`);
}

/**
 * Sends a request and gives the JSON of its answer (`undefined` for 204).
 *
 * Throws an `ApiError`, or the signal's reason when the caller aborted.
 */
export async function request<Answer>(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const headers = new Headers({ Accept: "application/json, application/problem+json" });
  if (method !== "GET") headers.set("X-Parley-CSRF", "1");
  if (options.body !== undefined) headers.set("Content-Type", "application/json");
  if (options.idempotencyKey) headers.set("Idempotency-Key", options.idempotencyKey);

  // AbortSignal.any is too young for phones that are still around.
  const controller = new AbortController();
  const giveUp = setTimeout(() => controller.abort(), TIMEOUT_MS);
  const stop = () => controller.abort();
  options.signal?.addEventListener("abort", stop);
  try {
    options.signal?.throwIfAborted();
    const response = await fetch(apiUrl(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: "same-origin",
      signal: controller.signal,
    });
    return await read<Answer>(response);
  } catch (error) {
    if (error instanceof ApiError) {
      // A wrong password is a 401 too, but ends no session.
      if (error.code === "not_signed_in") for (const tell of signedOutListeners) tell();
      throw error;
    }
    options.signal?.throwIfAborted();
    throw new ApiError("network", 0);
  } finally {
    clearTimeout(giveUp);
    options.signal?.removeEventListener("abort", stop);
  }
}

async function read<Answer>(response: Response): Promise<Answer> {
  const body = await response.text();
  const json = parse(body);
  if (!response.ok) throw problemFrom(response.status, json);
  if (response.status === 204 || body === "") return undefined as Answer;
  if (json === undefined) throw new ApiError("bad_answer", response.status);
  return json as Answer;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

export const get = <Answer>(path: string, query?: Query, signal?: AbortSignal) =>
  request<Answer>("GET", path, { query, signal });

export const post = <Answer = void>(
  path: string,
  body?: unknown,
  options: Omit<RequestOptions, "body"> = {},
) => request<Answer>("POST", path, { ...options, body: body ?? {} });
