import { useT } from "./context";
import { StarIcon } from "./icons";

const STARS = [1, 2, 3, 4, 5];

/** Five stars to give. The one that is given already takes them all away. */
export function Stars({ rating, onGive }: { rating: number; onGive: (stars: number) => void }) {
  const t = useT();
  return (
    <fieldset className="flex items-center gap-1">
      <legend className="sr-only">{t("image.stars")}</legend>
      {STARS.map((n) => (
        <button
          key={n}
          type="button"
          aria-label={t("image.stars.give", { n })}
          aria-pressed={n === rating}
          className={`rounded-md p-1.5 hover:bg-sunken ${n <= rating ? "text-gold" : "text-muted"}`}
          onClick={() => onGive(n === rating ? 0 : n)}
        >
          <StarIcon filled={n <= rating} />
        </button>
      ))}
    </fieldset>
  );
}
