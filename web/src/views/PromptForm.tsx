import { useEffect, useRef, type FormEvent } from "react";
import { useStore } from "zustand";
import type { Model } from "../api/schema";
import type { Settings } from "../state/settings";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import { ProblemNote } from "../ui/ProblemNote";
import { MoreSettings } from "./MoreSettings";
import { QuotePanel } from "./QuotePanel";
import { SizeField } from "./SizeField";

export interface PartProps {
  settings: Settings;
  model: Model;
}

export function PromptForm({ settings, model }: PartProps) {
  const { form } = useApp();
  const { error, problems, refusals } = useStore(form);
  const element = useRef<HTMLFormElement>(null);
  const shown = useRef(refusals);

  useEffect(() => {
    if (shown.current === refusals) return;
    shown.current = refusals;
    focusFirstProblem(element.current);
  }, [refusals]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void form.getState().submit();
  };
  return (
    <form ref={element} onSubmit={submit} noValidate className="flex flex-col gap-4">
      <PromptField settings={settings} model={model} />
      <div className="grid grid-cols-[minmax(0,1fr)_5.5rem] gap-3">
        <ModelField settings={settings} model={model} />
        <CountField settings={settings} model={model} />
      </div>
      <SizeField settings={settings} model={model} />
      <MoreSettings settings={settings} model={model} />
      {error && <ProblemNote error={error} />}
      <QuotePanel model={model} invalid={Object.keys(problems).length > 0} />
    </form>
  );
}

// A problem in the folded part unfolds it first: what is folded cannot take the focus.
function focusFirstProblem(form: HTMLFormElement | null) {
  const bad = form?.querySelector<HTMLElement>("[aria-invalid=true]");
  bad?.closest("details")?.setAttribute("open", "");
  bad?.focus();
}

function PromptField({ settings }: PartProps) {
  const t = useT();
  const { form } = useApp();
  const problem = useStore(form, (f) => f.problems.prompt);
  return (
    <Field label={t("form.prompt")} hint={t("form.prompt.hint")} problem={problem}>
      {(control) => (
        <textarea
          {...control}
          rows={4}
          required
          className={controlLook}
          value={settings.prompt}
          onChange={(event) => form.getState().set("prompt", event.target.value)}
        />
      )}
    </Field>
  );
}

function ModelField({ settings, model }: PartProps) {
  const t = useT();
  const { form, catalogue } = useApp();
  const models = useStore(catalogue, (c) => c.models);
  const problem = useStore(form, (f) => f.problems.model);
  return (
    <Field label={t("form.model")} hint={t("form.model.hint", { n: model.unit_credits })} problem={problem}>
      {(control) => (
        <select
          {...control}
          className={controlLook}
          value={settings.model}
          onChange={(event) => form.getState().set("model", event.target.value)}
        >
          {models.map((m) => (
            <option key={m.key} value={m.key}>
              {m.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function CountField({ settings, model }: PartProps) {
  const t = useT();
  const { form } = useApp();
  const problem = useStore(form, (f) => f.problems.count);
  const { min, max } = model.count;
  const counts = Array.from({ length: max - min + 1 }, (_, i) => String(min + i));
  return (
    <Field label={t("form.count")} problem={problem}>
      {(control) => (
        <select
          {...control}
          className={controlLook}
          value={settings.count}
          onChange={(event) => form.getState().set("count", event.target.value)}
        >
          {counts.map((count) => (
            <option key={count}>{count}</option>
          ))}
        </select>
      )}
    </Field>
  );
}
