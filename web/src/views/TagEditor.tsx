import { useRef, useState, type FormEvent } from "react";
import type { Image } from "../api/schema";
import { splitTags } from "../state/settings";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import { CloseIcon } from "../ui/icons";

export function TagEditor({ image }: { image: Image }) {
  const t = useT();
  const { detail, notices } = useApp();
  const [text, setText] = useState("");
  const list = useRef<HTMLUListElement>(null);

  async function save(tags: string[]): Promise<boolean> {
    const saved = await detail.getState().update({ tags });
    if (saved) notices.getState().say("image.tags.saved");
    return saved;
  }

  async function add(event: FormEvent) {
    event.preventDefault();
    const added = splitTags(text);
    if (added.length > 0 && (await save([...image.tags, ...added]))) setText("");
  }

  async function remove(tag: string) {
    await save(image.tags.filter((other) => other !== tag));
    list.current?.closest("section")?.querySelector("input")?.focus(); // The button is gone that had the focus.
  }

  return (
    <section aria-label={t("image.tags")} className="flex flex-col gap-2">
      <h3 className="text-sm font-semibold">{t("image.tags")}</h3>
      <ul ref={list} className="flex flex-wrap gap-2 empty:hidden" data-testid="tags">
        {image.tags.map((tag) => (
          <li key={tag} className="flex max-w-full items-center rounded-full bg-sunken pl-3 text-sm">
            <span className="min-w-0 break-words">{tag}</span>
            <button
              type="button"
              aria-label={t("image.tags.remove", { tag })}
              className="grid size-8 shrink-0 place-items-center rounded-full text-muted hover:text-ink"
              onClick={() => void remove(tag)}
            >
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
      <form onSubmit={(event) => void add(event)} className="flex items-end gap-2">
        <Field label={t("image.tags.add")} className="grow">
          {(control) => (
            <input
              {...control}
              className={controlLook}
              autoComplete="off"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
        <Button type="submit" className="min-h-11">
          {t("image.tags.submit")}
        </Button>
      </form>
    </section>
  );
}
