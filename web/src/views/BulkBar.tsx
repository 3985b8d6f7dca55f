import { useState } from "react";
import { useStore } from "zustand";
import { isGalleryFilter } from "../api/endpoints";
import type { BulkAction } from "../api/schema";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import { StarIcon, TrashIcon } from "../ui/icons";
import { NameForm } from "../ui/NameForm";

/** Chooses many images and does the same to all of them. */
export function BulkBar() {
  const t = useT();
  const { bulk, gallery } = useApp();
  const { choosing, chosen, all, progress, start, stop, chooseAll, run } = useStore(bulk);
  const byFilter = useStore(gallery, (g) => isGalleryFilter(g.filter));
  if (!choosing) {
    return (
      <div className="mb-4">
        <Button onClick={start}>{t("bulk.start")}</Button>
      </div>
    );
  }
  const n = all?.images ?? chosen.size;
  return (
    <div className="mb-4 flex flex-col gap-3 rounded-xl border border-edge bg-surface p-4">
      <div className="flex flex-wrap items-center gap-3">
        <p role="status" className="font-medium" data-testid="chosen">
          {progress === null ? t("bulk.chosen", { n }) : t("bulk.progress", { n: progress })}
        </p>
        <Button inert={!byFilter} title={byFilter ? undefined : t("bulk.all.words")} onClick={() => void chooseAll()}>
          {t("bulk.all")}
        </Button>
        <Button look="quiet" onClick={stop}>
          {t("bulk.stop")}
        </Button>
      </div>
      {n > 0 && progress === null && <BulkActions n={n} run={run} />}
    </div>
  );
}

function BulkActions({ n, run }: { n: number; run: (action: BulkAction) => Promise<boolean> }) {
  const t = useT();
  const { library } = useApp();
  const boards = useStore(library, (l) => l.boards);
  const [asking, setAsking] = useState(false);
  if (asking) {
    return (
      <div role="alertdialog" aria-label={t("bulk.delete", { n })} className="flex flex-wrap items-center gap-3">
        <p>{t("bulk.delete.sure")}</p>
        <Button onClick={() => setAsking(false)}>{t("bulk.keep")}</Button>
        <Button look="danger" onClick={() => void run({ delete: true })}>
          {t("bulk.delete", { n })}
        </Button>
      </div>
    );
  }
  return (
    <div className="flex flex-wrap items-end gap-3">
      <Button onClick={() => void run({ favourite: true })}>
        <StarIcon filled />
        {t("bulk.favourite")}
      </Button>
      <NameForm label={t("gallery.tag")} submit={t("bulk.tag")} onName={(tag) => run({ add_tags: [tag] })} />
      {boards.length > 0 && (
        <Field label={t("bulk.board")}>
          {(control) => (
            <select
              {...control}
              className={controlLook}
              value=""
              onChange={(event) => event.target.value && void run({ add_to_board: event.target.value })}
            >
              <option value="">–</option>
              {boards.map((board) => (
                <option key={board.id} value={board.id}>
                  {board.name}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Button look="danger" onClick={() => setAsking(true)}>
        <TrashIcon />
        {t("bulk.delete", { n })}
      </Button>
    </div>
  );
}
