import { useId, useMemo } from "react";
import { useStore } from "zustand";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";

const WORDS_CHARS_MAX = 400;
const TAG_CHARS_MAX = 64;

export function GalleryFilters() {
  const t = useT();
  const { gallery, catalogue } = useApp();
  const filter = useStore(gallery, (g) => g.filter);
  const models = useStore(catalogue, (c) => c.models);
  const { narrow } = gallery.getState();
  return (
    <form
      role="search"
      onSubmit={(event) => event.preventDefault()}
      className="mb-6 grid grid-cols-2 items-end gap-3 lg:grid-cols-[repeat(4,minmax(0,1fr))_auto]"
    >
      <Field label={t("gallery.search")} className="col-span-2 lg:col-span-5">
        {(control) => (
          <input
            {...control}
            type="search"
            className={controlLook}
            maxLength={WORDS_CHARS_MAX}
            value={filter.words}
            onChange={(event) => narrow({ words: event.target.value })}
          />
        )}
      </Field>
      <TagFilter />
      <Field label={t("gallery.model")}>
        {(control) => (
          <select
            {...control}
            className={controlLook}
            value={filter.model}
            onChange={(event) => narrow({ model: event.target.value })}
          >
            <option value="">{t("gallery.model.any")}</option>
            {models.map((model) => (
              <option key={model.key} value={model.key}>
                {model.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <BoardAndStars />
      <label className="col-span-2 flex min-h-10 items-center gap-2 text-sm font-medium lg:col-span-1">
        <input
          type="checkbox"
          className="size-5"
          checked={filter.favourite}
          onChange={(event) => narrow({ favourite: event.target.checked })}
        />
        {t("gallery.favourites")}
      </label>
    </form>
  );
}

/** On which board, and how many stars at least. */
function BoardAndStars() {
  const t = useT();
  const { gallery, library } = useApp();
  const { board, stars } = useStore(gallery, (g) => g.filter);
  const boards = useStore(library, (l) => l.boards);
  const { narrow } = gallery.getState();
  return (
    <>
      <Field label={t("gallery.board")}>
        {(control) => (
          <select
            {...control}
            className={controlLook}
            value={board}
            onChange={(event) => narrow({ board: event.target.value })}
          >
            <option value="">{t("gallery.board.any")}</option>
            <option value="none">{t("gallery.board.none")}</option>
            {boards.map(({ id, name, images }) => (
              <option key={id} value={id}>
                {t("gallery.board.count", { name, n: images })}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t("gallery.stars")}>
        {(control) => (
          <select
            {...control}
            className={controlLook}
            value={stars}
            onChange={(event) => narrow({ stars: Number(event.target.value) })}
          >
            <option value={0}>{t("gallery.stars.any")}</option>
            {[1, 2, 3, 4, 5].map((n) => (
              <option key={n} value={n}>
                {t("gallery.stars.min", { n })}
              </option>
            ))}
          </select>
        )}
      </Field>
    </>
  );
}

/** A tag as typed; the tags of the images in sight are suggested. */
function TagFilter() {
  const t = useT();
  const { gallery } = useApp();
  const listId = useId();
  const tag = useStore(gallery, (g) => g.filter.tag);
  const images = useStore(gallery, (g) => g.images);
  const known = useMemo(() => [...new Set(images.flatMap((image) => image.tags))].toSorted(), [images]);
  return (
    <Field label={t("gallery.tag")}>
      {(control) => (
        <>
          <input
            {...control}
            list={listId}
            className={controlLook}
            placeholder={t("gallery.tag.any")}
            maxLength={TAG_CHARS_MAX}
            autoComplete="off"
            value={tag}
            onChange={(event) => gallery.getState().narrow({ tag: event.target.value.trimStart() })}
          />
          <datalist id={listId}>
            {known.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
