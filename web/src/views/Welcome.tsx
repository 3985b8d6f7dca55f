import { useEffect, useState, type FormEvent } from "react";
import { useStore } from "zustand";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import { ProblemNote } from "../ui/ProblemNote";

const NAME_CHARS_MAX = 100;

export function Welcome() {
  const t = useT();
  const { session } = useApp();
  const { key, busy, error, lost, start } = useStore(session);
  useEffect(() => {
    document.title = "pingvas";
  }, []);
  const unreachable = error !== null && error.status !== 401 && key !== null;
  return (
    <main id="main" tabIndex={-1} className="mx-auto w-full max-w-4xl grow px-4 py-8 outline-none sm:px-6 sm:py-16">
      <h1 className="max-w-2xl text-3xl font-semibold tracking-tight text-balance sm:text-4xl">{t("welcome.title")}</h1>
      <p className="mt-3 max-w-2xl text-muted">{t("welcome.text")}</p>
      <div className="mt-6 flex flex-col gap-3 empty:hidden">
        {lost && (
          <p role="alert" className="rounded-lg bg-danger-soft p-3 text-danger">
            {t("welcome.lost")}
          </p>
        )}
        {error?.status === 401 && (
          <p role="alert" className="rounded-lg bg-danger-soft p-3 text-danger">
            {t("welcome.rejected")}
          </p>
        )}
        {error && error.status !== 401 && (
          <ProblemNote error={error} {...(unreachable ? { onRetry: () => void start() } : {})} />
        )}
      </div>
      <div className="mt-6 grid gap-5 sm:mt-8 md:grid-cols-2">
        <OpenAccount busy={busy} />
        <PasteKey busy={busy} />
      </div>
    </main>
  );
}

function OpenAccount({ busy }: { busy: boolean }) {
  const t = useT();
  const { session, catalogue } = useApp();
  const free = useStore(catalogue, (c) => c.plans.find((p) => p.key === "free"));
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy) void session.getState().open(name);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 rounded-2xl border border-line bg-surface p-5 sm:p-6">
      <h2 className="text-lg font-semibold">{t("welcome.open.title")}</h2>
      <Field label={t("welcome.open.name")} hint={free && t("welcome.open.grant", { n: free.credits })}>
        {(control) => (
          <input
            {...control}
            className={controlLook}
            autoComplete="name"
            maxLength={NAME_CHARS_MAX}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <Button look="primary" type="submit" inert={busy} className="mt-auto">
        {t(busy ? "welcome.open.busy" : "welcome.open.submit")}
      </Button>
    </form>
  );
}

function PasteKey({ busy }: { busy: boolean }) {
  const t = useT();
  const { session } = useApp();
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && key.trim() !== "") void session.getState().paste(key);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 rounded-2xl border border-line bg-surface p-5 sm:p-6">
      <h2 className="text-lg font-semibold">{t("welcome.paste.title")}</h2>
      <Field label={t("welcome.paste.key")} hint={t("welcome.paste.hint")}>
        {(control) => (
          <input
            {...control}
            className={`${controlLook} font-mono`}
            type="password"
            autoComplete="current-password"
            spellCheck={false}
            required
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        )}
      </Field>
      <Button type="submit" inert={busy} className="mt-auto">
        {t(busy ? "welcome.paste.busy" : "welcome.paste.submit")}
      </Button>
    </form>
  );
}
