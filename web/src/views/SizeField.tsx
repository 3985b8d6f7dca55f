import { useState } from "react";
import type { Model } from "../api/schema";
import type { MessageKey } from "../i18n";
import type { Settings } from "../state/settings";
import { useApp, useT } from "../ui/context";
import { Input } from "./MoreSettings";
import type { PartProps } from "./PromptForm";

interface Preset {
  key: MessageKey;
  width: number;
  height: number;
}

const presets: Preset[] = [
  { key: "form.size.square", width: 1024, height: 1024 },
  { key: "form.size.portrait", width: 832, height: 1216 },
  { key: "form.size.landscape", width: 1216, height: 832 },
  { key: "form.size.small", width: 512, height: 512 },
];

function presetsOf({ size, size_step: step }: Model): Preset[] {
  const fits = (edge: number) => edge >= size.min && edge <= size.max && edge % step === 0;
  return presets.filter((p) => fits(p.width) && fits(p.height));
}

function isChosen(preset: Preset, settings: Settings): boolean {
  return settings.width === String(preset.width) && settings.height === String(preset.height);
}

export function SizeField({ settings, model }: PartProps) {
  const t = useT();
  const { form } = useApp();
  const offered = presetsOf(model);
  const [custom, setCustom] = useState(false);
  const chosen = custom ? undefined : offered.find((preset) => isChosen(preset, settings));
  const choose = (preset: Preset) => {
    setCustom(false);
    form.getState().set("width", String(preset.width));
    form.getState().set("height", String(preset.height));
  };
  const { size, size_step: step } = model;
  const limits = { type: "number", min: size.min, max: size.max, step };
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 text-sm font-medium">{t("form.size")}</legend>
      <div className="grid grid-cols-2 gap-2 sm:grid-cols-3">
        {offered.map((preset) => (
          <Choice
            key={preset.key}
            label={t(preset.key)}
            note={`${preset.width}×${preset.height}`}
            checked={preset === chosen}
            onChoose={() => choose(preset)}
          />
        ))}
        <Choice
          label={t("form.size.custom")}
          note={chosen ? "…" : `${settings.width}×${settings.height}`}
          wide
          checked={!chosen}
          onChoose={() => setCustom(true)}
        />
      </div>
      {!chosen && (
        <div className="mt-3 grid grid-cols-2 gap-3">
          <Input name="width" label={t("form.width")} {...limits} />
          <Input name="height" label={t("form.height")} {...limits} />
        </div>
      )}
    </fieldset>
  );
}

interface ChoiceProps {
  label: string;
  note: string;
  wide?: boolean;
  checked: boolean;
  onChoose: () => void;
}

function Choice({ label, note, wide = false, checked, onChoose }: ChoiceProps) {
  return (
    <label
      className={
        "flex cursor-pointer flex-col rounded-lg border border-edge px-3 py-2 text-sm hover:bg-sunken " +
        "has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-3 " +
        `has-focus-visible:outline-offset-2 has-focus-visible:outline-accent ${wide ? "col-span-2" : ""}`
      }
    >
      <input type="radio" name="size" className="sr-only" checked={checked} onChange={onChoose} />
      <span className="font-medium">{label}</span>
      <span className="text-xs text-muted tabular-nums">{note}</span>
    </label>
  );
}
