import { useEffect } from "react";
import { useStore } from "zustand";
import { useApp, useT } from "../ui/context";
import { ProblemNote } from "../ui/ProblemNote";
import { JobList } from "./JobList";
import { PromptForm } from "./PromptForm";

export function CreatePage() {
  const t = useT();
  const { catalogue, form } = useApp();
  const { models, error, load } = useStore(catalogue);
  const settings = useStore(form, (f) => f.settings);
  useEffect(() => {
    if (models.length > 0) form.getState().begin();
  }, [form, models]);
  const model = models.find((m) => m.key === settings?.model);
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,28rem)_minmax(0,1fr)] lg:gap-8">
      <section aria-labelledby="create-title" className="rounded-2xl border border-line bg-surface p-4 sm:p-6">
        <h1 id="create-title" tabIndex={-1} className="mb-4 text-xl font-semibold outline-none">
          {t("form.title")}
        </h1>
        {error && <ProblemNote error={error} onRetry={() => void load()} />}
        {settings && model ? (
          <PromptForm settings={settings} model={model} />
        ) : (
          !error && <p className="text-muted">{t("app.loading")}</p>
        )}
      </section>
      <JobList />
    </div>
  );
}
