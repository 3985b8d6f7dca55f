import type { Problem } from "./schema";

/** What the client says when no answer came at all. */
export const CODE_NETWORK = "network";
/** What the client says when the answer is not one of ours, such as a proxy's error page. */
export const CODE_UNREADABLE = "unreadable-answer";

/** An answer that is not a success. `code` is stable; programs decide by it. */
export class ApiError extends Error {
  readonly code: string;
  /** 0 when no answer came. */
  readonly status: number;
  readonly problem: Problem | null;

  constructor(code: string, status: number, problem: Problem | null, cause?: unknown) {
    super(problem?.detail ?? problem?.title ?? code, { cause });
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.problem = problem;
  }
}

export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(CODE_NETWORK, 0, null, error);
}

export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Reads the problem out of an answer that is not a success. It never throws. */
export async function readProblem(response: Response): Promise<ApiError> {
  try {
    const body: unknown = await response.json();
    if (isProblem(body)) return new ApiError(body.code, response.status, body);
  } catch {
    // The body is cut off or not JSON: the status alone has to do.
  }
  return new ApiError(CODE_UNREADABLE, response.status, null);
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && typeof body.code === "string";
}

/** The details of a problem by form field: the first segment of each JSON pointer, without its slash. */
export function fieldErrors(error: ApiError): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const { pointer, detail } of error.problem?.errors ?? []) {
    const field = unescapePointer(pointer.replace(/^\//, "").split("/")[0] ?? "");
    if (field !== "" && !(field in fields)) fields[field] = detail;
  }
  return fields;
}

function unescapePointer(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}
