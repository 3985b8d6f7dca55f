import { useEffect } from "react";
import { useStore } from "zustand";
import { shortened } from "../i18n/text";
import { noFilter } from "../state/gallery";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { StarIcon } from "../ui/icons";
import { ProblemNote } from "../ui/ProblemNote";
import { StoredImage } from "../ui/StoredImage";
import { Boards, SavedSearches } from "./Boards";
import { BulkBar } from "./BulkBar";
import { GalleryFilters } from "./GalleryFilters";

export function GalleryPage() {
  const t = useT();
  const { gallery } = useApp();
  const { images, total, cursor, loading, error, filter, refresh, more } = useStore(gallery);
  useEffect(() => void refresh(), [refresh]);
  const narrowed = filter !== noFilter && JSON.stringify(filter) !== JSON.stringify(noFilter);
  return (
    <section aria-labelledby="gallery-title">
      <div className="mb-4 flex flex-wrap items-baseline justify-between gap-2">
        <h1 id="gallery-title" tabIndex={-1} className="text-xl font-semibold outline-none">
          {t("gallery.title")}
        </h1>
        <p role="status" className="text-sm text-muted" data-testid="found">
          {loading && total === null ? t("app.loading") : total !== null && t("gallery.found", { n: total })}
        </p>
      </div>
      <Boards />
      <SavedSearches />
      <GalleryFilters />
      <BulkBar />
      {error && <ProblemNote error={error} onRetry={() => void refresh()} />}
      {images.length === 0 && total === 0 && !loading && (
        <div className="flex flex-col items-center gap-4 rounded-2xl border border-dashed border-edge px-6 py-14">
          <p className="text-center text-muted">{t(narrowed ? "gallery.none" : "gallery.empty")}</p>
          {narrowed && <Button onClick={() => gallery.getState().narrow(noFilter)}>{t("gallery.clear")}</Button>}
        </div>
      )}
      <ImageGrid />
      {cursor !== null && (
        <div className="mt-6 text-center">
          <Button inert={loading} onClick={() => void more()}>
            {t(loading ? "app.loading" : "app.more")}
          </Button>
        </div>
      )}
    </section>
  );
}

function ImageGrid() {
  const t = useT();
  const { gallery, detail, bulk } = useApp();
  const { choosing, chosen, all, toggle } = useStore(bulk);
  const images = useStore(gallery, (g) => g.images);
  return (
    <ul className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-4 xl:grid-cols-5">
      {images.map((image) => (
        <li key={image.id} className="relative min-w-0" data-testid="image">
          <button
            type="button"
            aria-label={t(choosing ? "bulk.choose" : "gallery.open", { prompt: shortened(image.request.prompt) })}
            aria-pressed={choosing ? all !== null || chosen.has(image.id) : undefined}
            className={
              "block w-full overflow-hidden rounded-xl border border-line bg-surface text-left hover:border-edge " +
              "aria-pressed:outline-3 aria-pressed:outline-accent"
            }
            onClick={() => (choosing ? toggle(image.id) : detail.getState().showImage(image))}
          >
            <StoredImage
              image={image}
              variant="thumbnail"
              alt=""
              className="aspect-square w-full bg-sunken object-cover"
            />
            <span className="line-clamp-2 min-h-12 px-3 pt-2 text-sm break-words">{image.request.prompt}</span>
            <span className="block truncate px-3 pb-2 text-xs text-muted">
              {image.tags.length > 0 ? image.tags.map((tag) => `#${tag}`).join(" ") : image.request.model}
            </span>
          </button>
          {image.favourite && (
            <span className="absolute top-2 right-2 rounded-full bg-surface p-1.5 text-gold">
              <StarIcon filled />
              <span className="sr-only">{t("gallery.favourite")}</span>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
