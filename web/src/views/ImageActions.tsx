import { useState } from "react";
import type { Image } from "../api/schema";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { downloadImage } from "../ui/download";
import { DownloadIcon, ReuseIcon, StarIcon, TrashIcon } from "../ui/icons";

export function ImageActions({ image }: { image: Image }) {
  const t = useT();
  const { detail, form, place, notices } = useApp();
  const [asking, setAsking] = useState(false);

  function reuse() {
    form.getState().reuse(image.request, image.seed);
    detail.getState().close();
    place.getState().go("create");
    notices.getState().say("image.reused");
  }

  async function download() {
    const fresh = await detail.getState().freshen(image.id);
    if (fresh) await downloadImage(fresh);
  }

  if (asking) return <ConfirmDelete onKeep={() => setAsking(false)} />;
  return (
    <div className="flex flex-wrap gap-2">
      <Button
        aria-pressed={image.favourite}
        onClick={() => void detail.getState().update({ favourite: !image.favourite })}
      >
        <span className={image.favourite ? "text-gold" : ""}>
          <StarIcon filled={image.favourite} />
        </span>
        {t(image.favourite ? "image.favourite.remove" : "image.favourite.add")}
      </Button>
      <Button onClick={() => void download()}>
        <DownloadIcon />
        {t("image.download")}
      </Button>
      <Button onClick={reuse}>
        <ReuseIcon />
        {t("image.reuse")}
      </Button>
      <Button look="danger" onClick={() => setAsking(true)}>
        <TrashIcon />
        {t("image.delete")}
      </Button>
    </div>
  );
}

function ConfirmDelete({ onKeep }: { onKeep: () => void }) {
  const t = useT();
  const { detail } = useApp();
  return (
    <div role="alertdialog" aria-labelledby="delete-title" className="rounded-lg border border-danger p-4">
      <p id="delete-title" className="font-medium">
        {t("image.delete.title")}
      </p>
      <p className="mt-1 text-sm text-muted">{t("image.delete.text")}</p>
      <div className="mt-3 flex flex-wrap gap-2">
        {/* The question replaced the button that had the focus. */}
        {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
        <Button autoFocus onClick={onKeep}>
          {t("image.delete.keep")}
        </Button>
        <Button look="danger" onClick={() => void detail.getState().remove()}>
          <TrashIcon />
          {t("image.delete")}
        </Button>
      </div>
    </div>
  );
}
