import { useId, type ReactNode } from "react";
import type { FieldProblem } from "../state/settings";
import { useT } from "./context";

/** The attributes that tie a control to its label, hint and problem. */
export interface ControlProps {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
}

interface FieldProps {
  label: string;
  hint?: string | undefined;
  problem?: FieldProblem | undefined;
  className?: string;
  children: (control: ControlProps) => ReactNode;
}

export const controlLook =
  "w-full min-h-11 rounded-lg border border-edge bg-surface px-3 py-2 text-ink placeholder:text-muted " +
  "aria-invalid:border-danger aria-invalid:border-2";

export function Field({ label, hint, problem, className = "", children }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
  const control: ControlProps = { id };
  if (described !== "") control["aria-describedby"] = described;
  if (problem) control["aria-invalid"] = true;
  return (
    <div className={`flex min-w-0 flex-col gap-1 ${className}`}>
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children(control)}
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-muted">
          {hint}
        </p>
      )}
      <ProblemLine id={`${id}-problem`} problem={problem} />
    </div>
  );
}

export function ProblemLine({ id, problem }: { id: string; problem: FieldProblem | undefined }) {
  const t = useT();
  if (!problem) return null;
  return (
    <p id={id} className="text-sm text-danger">
      {"key" in problem ? t(problem.key, problem.params) : problem.text}
    </p>
  );
}
