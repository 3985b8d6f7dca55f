import { useId, useLayoutEffect, useRef, type ReactNode } from "react";
import { useT } from "./context";
import { CloseIcon } from "./icons";
import { Notices } from "./Notices";

interface DialogProps {
  title: string;
  wide?: boolean;
  /** Whether Escape, a click beside it and its cross close it. */
  dismissible?: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** A modal dialog while it is mounted. It takes the focus to its title and gives it back to where it was. */
export function Dialog({ title, wide = false, dismissible = true, onClose, children }: DialogProps) {
  const titleId = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);

  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    heading.current?.focus();
    return () => element?.close();
  }, []);

  return (
    // Escape reaches every user of a keyboard; a click beside the dialog is only a short cut for the mouse.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      className={`m-auto w-full rounded-2xl bg-surface p-0 text-ink shadow-2xl ${wide ? "max-w-5xl" : "max-w-md"}`}
      onCancel={(event) => {
        event.preventDefault();
        if (dismissible) onClose();
      }}
      onClose={() => {
        // The browser may close it without asking, at a second Escape for one.
        if (dialog.current?.open) return;
        if (dismissible) onClose();
        else dialog.current?.showModal();
      }}
      onClick={(event) => {
        if (dismissible && event.target === dialog.current) onClose();
      }}
    >
      <div className="flex max-h-[92dvh] flex-col">
        <header className="flex items-center justify-between gap-4 border-b border-line px-4 py-3 sm:px-6">
          <h2 id={titleId} ref={heading} tabIndex={-1} className="text-lg font-semibold outline-none">
            {title}
          </h2>
          {dismissible && <CloseButton onClose={onClose} />}
        </header>
        <div className="overflow-y-auto px-4 py-4 sm:px-6 sm:py-5">{children}</div>
      </div>
      <Notices />
    </dialog>
  );
}

function CloseButton({ onClose }: { onClose: () => void }) {
  const t = useT();
  return (
    <button
      type="button"
      aria-label={t("app.close")}
      className="grid size-10 shrink-0 place-items-center rounded-lg text-muted hover:bg-sunken hover:text-ink"
      onClick={onClose}
    >
      <CloseIcon />
    </button>
  );
}
