import { useStore } from "zustand";
import type { Notice } from "../state/notices";
import { useApp, useT } from "./context";
import { CloseIcon } from "./icons";
import { problemText } from "./ProblemNote";

/** What the app tells without being asked. A modal dialog shows them too: what is below it is out of reach. */
export function Notices() {
  const list = useStore(useApp().notices, (n) => n.list);
  return (
    <div className="pointer-events-none fixed right-0 bottom-0 z-20 flex w-full max-w-sm flex-col gap-2 p-4">
      <div role="status" className="contents">
        {list.map((notice) => notice.kind === "info" && <Toast key={notice.id} notice={notice} />)}
      </div>
      <div role="alert" className="contents">
        {list.map((notice) => notice.kind === "problem" && <Toast key={notice.id} notice={notice} />)}
      </div>
    </div>
  );
}

function Toast({ notice }: { notice: Notice }) {
  const t = useT();
  const { notices } = useApp();
  const info = notice.kind === "info";
  return (
    <div
      className={`pointer-events-auto flex items-start gap-3 rounded-xl border py-1.5 pr-1.5 pl-4 text-sm shadow-lg ${
        info ? "border-line bg-surface" : "border-danger bg-danger-soft"
      }`}
    >
      <p className="min-w-0 grow py-1.5 break-words">
        {info ? t(notice.key, notice.params) : problemText(t, notice.error)}
        {!info && notice.error.problem && (
          <span className="block text-xs break-all text-muted">
            {t("problem.request", { id: notice.error.problem.request_id })}
          </span>
        )}
      </p>
      <button
        type="button"
        aria-label={t("app.close")}
        className="grid size-8 shrink-0 place-items-center rounded-lg text-muted hover:bg-sunken hover:text-ink"
        onClick={() => notices.getState().dismiss(notice.id)}
      >
        <CloseIcon />
      </button>
    </div>
  );
}
