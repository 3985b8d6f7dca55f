import { useState } from "react";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { Dialog } from "../ui/Dialog";

type Copied = "not-yet" | "yes" | "failed";

/** Shows a new key once. Only the button that says it is saved closes it. */
export function SecretDialog({ secret }: { secret: string }) {
  const t = useT();
  const { session } = useApp();
  const [copied, setCopied] = useState<Copied>("not-yet");

  async function copy() {
    try {
      await navigator.clipboard.writeText(secret);
      setCopied("yes");
    } catch {
      setCopied("failed");
    }
  }

  return (
    <Dialog title={t("secret.title")} dismissible={false} onClose={() => session.getState().acknowledge()}>
      <p>{t("secret.text")}</p>
      <p className="my-4 rounded-lg bg-sunken p-3 font-mono text-sm break-all select-all" data-testid="secret">
        {secret}
      </p>
      <div className="flex flex-wrap items-center justify-end gap-2">
        <p role="status" className="mr-auto text-sm text-muted">
          {copied === "yes" && t("secret.copied")}
          {copied === "failed" && t("secret.failed")}
        </p>
        <Button onClick={() => void copy()}>{t("secret.copy")}</Button>
        <Button look="primary" onClick={() => session.getState().acknowledge()}>
          {t("secret.done")}
        </Button>
      </div>
    </Dialog>
  );
}
