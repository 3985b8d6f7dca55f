import { useEffect } from "react";
import { useStore } from "zustand";
import type { Board, Image } from "../api/schema";
import { fromQuery } from "../state/library";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import { TrashIcon } from "../ui/icons";
import { NameForm } from "../ui/NameForm";

/** The boards as cards: a click shows what is on one. */
export function Boards() {
  const t = useT();
  const { library, gallery } = useApp();
  const { boards, refresh, createBoard } = useStore(library);
  const chosen = useStore(gallery, (g) => g.filter.board);
  useEffect(() => void refresh(), [refresh]);
  const current = boards.find((board) => board.id === chosen);
  return (
    <section aria-label={t("board.label")} className="mb-6 flex flex-col gap-4">
      <ul className="flex gap-3 overflow-x-auto">
        {boards.map((board) => (
          <li key={board.id}>
            <BoardCard board={board} pressed={board.id === chosen} />
          </li>
        ))}
      </ul>
      {current ? (
        <CurrentBoard key={current.id} board={current} />
      ) : (
        <NameForm
          label={t("board.new")}
          submit={t("board.create")}
          onName={async (name) => (await createBoard(name)) !== null}
        />
      )}
    </section>
  );
}

function BoardCard({ board, pressed }: { board: Board; pressed: boolean }) {
  const t = useT();
  const { gallery } = useApp();
  return (
    <button
      type="button"
      aria-pressed={pressed}
      className="w-36 overflow-hidden rounded-xl border border-line bg-surface text-left aria-pressed:border-accent"
      onClick={() => gallery.getState().narrow({ board: pressed ? "" : board.id })}
    >
      {board.cover ? (
        <img src={board.cover.thumbnail_url} alt="" className="h-24 w-full bg-sunken object-cover" />
      ) : (
        <span className="block h-24 bg-sunken" />
      )}
      <span className="block truncate px-3 pt-2 text-sm font-medium">{board.name}</span>
      <span className="block px-3 pb-2 text-xs text-muted">{t("board.images", { n: board.images })}</span>
    </button>
  );
}

function CurrentBoard({ board }: { board: Board }) {
  const t = useT();
  const { library, gallery } = useApp();
  async function remove() {
    if (await library.getState().deleteBoard(board.id)) gallery.getState().narrow({ board: "" });
  }
  return (
    <div className="flex flex-wrap items-end gap-3">
      <NameForm
        label={t("board.name")}
        submit={t("board.rename")}
        initial={board.name}
        onName={(name) => library.getState().renameBoard(board.id, name)}
      />
      <Button look="danger" title={t("board.delete.text")} onClick={() => void remove()}>
        <TrashIcon />
        {t("board.delete")}
      </Button>
    </div>
  );
}

/** On which boards an image is. */
export function BoardPicker({ image }: { image: Image }) {
  const t = useT();
  const { library, detail } = useApp();
  const { boards, refresh } = useStore(library);
  useEffect(() => void refresh(), [refresh]);
  const toggle = (id: string) => {
    const on = image.boards.includes(id) ? image.boards.filter((b) => b !== id) : [...image.boards, id];
    void detail.getState().update({ boards: on });
  };
  return (
    <fieldset className="flex flex-wrap gap-x-4 gap-y-2 text-sm">
      <legend className="mb-1 font-medium">{t("image.boards")}</legend>
      {boards.length === 0 && <p className="text-muted">{t("image.boards.none")}</p>}
      {boards.map((board) => (
        <label key={board.id} className="flex min-h-8 items-center gap-2">
          <input
            type="checkbox"
            className="size-5"
            checked={image.boards.includes(board.id)}
            onChange={() => toggle(board.id)}
          />
          {board.name}
        </label>
      ))}
    </fieldset>
  );
}

/** Searches that were kept, and a place to keep the present one. */
export function SavedSearches() {
  const t = useT();
  const { library, gallery } = useApp();
  const searches = useStore(library, (l) => l.searches);
  const filter = useStore(gallery, (g) => g.filter);
  const { saveSearch, deleteSearch } = library.getState();
  const use = (id: string) => {
    const found = searches.find((search) => search.id === id);
    if (found) gallery.getState().narrow(fromQuery(found.query));
  };
  return (
    <section aria-label={t("saved.label")} className="mb-6 flex flex-wrap items-end gap-3">
      <Field label={t("saved.use")}>
        {(control) => (
          <select {...control} className={controlLook} value="" onChange={(event) => use(event.target.value)}>
            <option value="">–</option>
            {searches.map((search) => (
              <option key={search.id} value={search.id}>
                {search.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <NameForm label={t("saved.name")} submit={t("saved.save")} onName={(name) => saveSearch(name, filter)} />
      <ul className="flex flex-wrap gap-2">
        {searches.map((search) => (
          <li key={search.id}>
            <Button
              look="quiet"
              aria-label={`${t("saved.delete")}: ${search.name}`}
              onClick={() => void deleteSearch(search.id)}
            >
              <TrashIcon />
              {search.name}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
