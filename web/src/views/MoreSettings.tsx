import type { InputHTMLAttributes } from "react";
import { useStore } from "zustand";
import { takesGuidance, type Field as FieldName } from "../state/settings";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import type { PartProps } from "./PromptForm";

/** What most people leave as it is: negative prompt, steps, guidance, scheduler, seed, tags. */
export function MoreSettings({ settings, model }: PartProps) {
  const t = useT();
  const { form } = useApp();
  const problem = useStore(form, (f) => f.problems.scheduler);
  const { steps, guidance, schedulers } = model;
  return (
    <details className="rounded-lg border border-line px-3 py-1 open:pb-4">
      <summary className="min-h-10 py-2 text-sm font-medium">{t("form.more")}</summary>
      {model.negative_prompt && <NegativePrompt settings={settings} />}
      <div className="mt-2 grid grid-cols-2 gap-x-3 gap-y-4">
        <Input name="steps" label={t("form.steps")} type="number" min={steps.min} max={steps.max} />
        {takesGuidance(model) && (
          <Input
            name="guidance"
            label={t("form.guidance")}
            type="number"
            min={guidance.min}
            max={guidance.max}
            step="0.1"
          />
        )}
        {schedulers.length > 1 && (
          <Field label={t("form.scheduler")} problem={problem}>
            {(control) => (
              <select
                {...control}
                className={controlLook}
                value={settings.scheduler}
                onChange={(event) => form.getState().set("scheduler", event.target.value)}
              >
                {schedulers.map((scheduler) => (
                  <option key={scheduler}>{scheduler}</option>
                ))}
              </select>
            )}
          </Field>
        )}
        <Input name="seed" label={t("form.seed")} hint={t("form.seed.hint")} inputMode="numeric" autoComplete="off" />
        <Input
          name="tags"
          label={t("form.tags")}
          hint={t("form.tags.hint")}
          className="col-span-2"
          autoComplete="off"
        />
      </div>
    </details>
  );
}

function NegativePrompt({ settings }: Pick<PartProps, "settings">) {
  const t = useT();
  const { form } = useApp();
  const problem = useStore(form, (f) => f.problems.negative_prompt);
  return (
    <Field label={t("form.negative")} hint={t("form.negative.hint")} problem={problem} className="mt-2 mb-4">
      {(control) => (
        <textarea
          {...control}
          rows={2}
          className={controlLook}
          value={settings.negative_prompt}
          onChange={(event) => form.getState().set("negative_prompt", event.target.value)}
        />
      )}
    </Field>
  );
}

interface InputProps extends InputHTMLAttributes<HTMLInputElement> {
  name: FieldName;
  label: string;
  hint?: string;
}

/** A line of text or a number that belongs to one field of the form. */
export function Input({ name, label, hint, className = "", ...rest }: InputProps) {
  const { form } = useApp();
  const value = useStore(form, (f) => f.settings?.[name] ?? "");
  const problem = useStore(form, (f) => f.problems[name]);
  return (
    <Field label={label} hint={hint} problem={problem} className={className}>
      {(control) => (
        <input
          {...rest}
          {...control}
          className={controlLook}
          value={value}
          onChange={(event) => form.getState().set(name, event.target.value)}
        />
      )}
    </Field>
  );
}
