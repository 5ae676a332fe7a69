export { apiUrl, get, onSignedOut, post, request } from "./client";
export * from "./endpoints";
export { ApiError, isApiError, type FieldProblem } from "./problem";
export { memberStream } from "./member-stream";
export { stream, type StreamState } from "./sse";
export type * from "./types";
export { useData, type Loaded } from "./useData";
export { fullName } from "./names";
