import type { ApiError } from "../api/problem";
import { en } from "../i18n/en";
import type { MessageKey, Params } from "../i18n";
import { Button } from "./Button";
import { useT, type Words } from "./context";

/** Says in the user's language what went wrong. The server's own words are English and stand in where we know less. */
export function problemText(t: Words, error: ApiError): string {
  const key = `problem.${error.code}`;
  if (!(key in en)) return error.problem?.detail ?? error.problem?.title ?? t("problem.unknown");
  const { required, available, open, limit, detail } = error.problem ?? {};
  const numbers = Object.fromEntries(
    Object.entries({ required, available, open, limit }).filter(([, value]) => value !== undefined),
  ) as Params;
  const text = t(key as MessageKey, numbers);
  return text.includes("{") ? (detail ?? error.problem?.title ?? t("problem.unknown")) : text;
}

interface ProblemNoteProps {
  error: ApiError;
  onRetry?: () => void;
}

/** The codes whose detail says more than their text. */
const detailed = new Set(["invalid-request", "unsupported-by-model", "picture-unusable"]);

/** A problem in its place on the page, with what support needs to find it. */
export function ProblemNote({ error, onRetry }: ProblemNoteProps) {
  const t = useT();
  const { problem } = error;
  return (
    <div
      role="alert"
      className="flex flex-col items-start gap-2 rounded-lg border border-danger bg-danger-soft p-3 text-sm"
    >
      <p className="font-medium text-danger">{problemText(t, error)}</p>
      {problem?.detail && detailed.has(error.code) && (
        <p lang="en" className="break-words">
          {problem.detail}
        </p>
      )}
      {problem && (
        <p className="text-xs text-muted">
          <a href={problem.type} target="_blank" rel="noopener" className="underline">
            {t("problem.page")}
          </a>
          {" · "}
          <span className="break-all">{t("problem.request", { id: problem.request_id })}</span>
        </p>
      )}
      {onRetry && <Button onClick={onRetry}>{t("app.retry")}</Button>}
    </div>
  );
}
